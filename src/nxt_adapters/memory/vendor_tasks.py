"""A meter vendor's cloud in memory: tasks that must be asked about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal

import attrs

from nxt_domain.messaging.admission import queue_key
from nxt_domain.messaging.model import (
    TOKEN_COMMANDS,
    UNSOLICITED_COMMANDS,
    CommandType,
    DeliveryStatus,
    DeviceEvent,
    DeviceMessage,
    ExecutionStatus,
    FailureContext,
    NewMessage,
    Response,
    SetDate,
    SetTime,
)
from nxt_domain.messaging.ports import PollFailed, SendFailed
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.json import JsonObject

NOT_EXECUTED = "Delivery was successful but execution of the command failed"
_SUPPORTED = frozenset(CommandType) - UNSOLICITED_COMMANDS - {CommandType.READ_TIME, CommandType.SET_TIME}
_NO_TOKEN = "Can't perform a token delivery without a token"  # noqa: S105 - a sentence about tokens
_BAD_DATE = "Invalid payload for setting date"
_NO_PAYLOAD = "Can't perform a write request without a payload"


@attrs.define(kw_only=True)
class MemoryMeter:
    """A meter behind a DCU."""

    credit_kwh: Decimal = Decimal(0)
    is_on: bool = True
    power_limit_w: int = 5000
    day: date = date(2026, 1, 1)
    used: set[str] = attrs.field(factory=set)


class MemoryVendorTasks:
    """Implements ``PullPlugin`` with the behaviour of a vendor's cloud: tasks, outages, lost answers, forgetting.

    Args:
        plugin_id: Under which it stands in messages.

    Attributes:
        meters: The meters it knows, by number.
        tasks: Messages that became tasks, by task number.
        is_down: While True every call fails.
        loses_answers: While True tasks are made, and nobody is told.
        holds: While True new tasks never have a result.
        forgets: While True new tasks are neither done nor known afterwards.
        fails: While True meters don't do what new tasks say.
    """

    supported_commands: frozenset[CommandType] = _SUPPORTED

    def __init__(self, plugin_id: str = "memory-pull") -> None:
        self.plugin_id = plugin_id
        self.meters: dict[str, MemoryMeter] = {}
        self.tasks: dict[str, DeviceMessage] = {}
        self.is_down = self.loses_answers = self.holds = self.forgets = self.fails = False
        self._results: dict[str, DeviceEvent | None] = {}
        self._sold: dict[str, tuple[str, Decimal]] = {}

    def place(self, number: str, *, credit_kwh: Decimal = Decimal(0)) -> MemoryMeter:
        """Put up a meter."""
        self.meters[number] = MemoryMeter(credit_kwh=credit_kwh)
        return self.meters[number]

    def sell(self, number: str, energy_kwh: Decimal) -> str:
        """Make a token that one meter takes once."""
        token = f"{len(self._sold) + 1:020d}"
        self._sold[token] = (number, energy_kwh)
        return token

    def ready_queue(self, message: NewMessage) -> str:
        """Name the DCU, which is the bottleneck [DM-23].

        Raises:
            InvalidInput: The message names none [DM-24].
        """
        node = message.device.relay_node
        if node is None or node.id is None:
            raise InvalidInput("device.relayNode.id is required")
        return queue_key(self.plugin_id, "dcu", node.id)

    async def send(self, message: DeviceMessage) -> str:
        """Make a task, and carry it out at once unless told otherwise.

        Raises:
            SendFailed: The message can't be written, the meter is unknown, or the cloud is away.
        """
        _refuse_unwritable(message)
        if self.is_down:
            raise SendFailed(FailureContext(reason="the vendor is down"))
        number = message.device.external_reference
        if number not in self.meters:
            raise SendFailed(FailureContext(reason="memory-pull did not schedule task because: unknown meter"))
        task = str(len(self.tasks) + 1)
        self.tasks[task] = message
        if not self.forgets:
            self._results[task] = None if self.holds else self._carry_out(message, self.meters[number])
        if self.loses_answers:
            raise SendFailed(FailureContext(reason="the answer was lost"))
        return task

    async def poll(self, message: DeviceMessage) -> DeviceEvent | None:
        """Tell what became of a task; None: not yet.

        Raises:
            PollFailed: The cloud is away.
        """
        if self.is_down:
            raise PollFailed("the vendor is down")
        if message.delivery_queue_id in self._results:
            return self._results[message.delivery_queue_id]
        return DeviceEvent(
            delivery_status=DeliveryStatus.DELIVERY_FAILED,
            device=message.device,
            failure=FailureContext(reason="the vendor gave no status or data for this task"),
        )

    def _carry_out(self, message: DeviceMessage, meter: MemoryMeter) -> DeviceEvent:
        data = None if self.fails else self._obey(message, meter)
        is_done = data is not None
        status = ExecutionStatus.EXECUTION_SUCCESS if is_done else ExecutionStatus.EXECUTION_FAILURE
        return DeviceEvent(
            delivery_status=DeliveryStatus.DELIVERY_SUCCESSFUL,
            device=message.device,
            command_type=message.command_type,
            response=Response(status=status, data=data),
            failure=None if is_done else FailureContext(reason=NOT_EXECUTED),
        )

    def _obey(self, message: DeviceMessage, meter: MemoryMeter) -> JsonObject | None:
        """Do what a command says; None: the meter refuses."""
        command, request = message.command_type, message.request_data
        if command in TOKEN_COMMANDS:
            return self._take(request.token or "" if request else "", message.device.external_reference, meter)
        match command:
            case CommandType.TURN_ON | CommandType.TURN_OFF:
                meter.is_on = command is CommandType.TURN_ON
                return {"turnOnAccepted": True} if meter.is_on else {"turnOffAccepted": True}
            case CommandType.SET_DATE:
                if request is not None and isinstance(request.payload, SetDate):
                    meter.day = request.payload.on_calendar()
                return {"dateAccepted": True}
            case CommandType.READ_DATE:
                return {"year": meter.day.year, "month": meter.day.month, "day": meter.day.day}
            case _:
                return _READINGS[command](meter)

    def _take(self, token: str, number: str, meter: MemoryMeter) -> JsonObject | None:
        owner, energy_kwh = self._sold.get(token, ("", Decimal(0)))
        if owner != number or token in meter.used:
            return None
        meter.used.add(token)
        meter.credit_kwh += energy_kwh
        return {"tokenAccepted": True}


_READINGS: Mapping[CommandType, Callable[[MemoryMeter], JsonObject]] = {
    CommandType.READ_CREDIT: lambda meter: {"kwhCreditAvailable": meter.credit_kwh, "isOn": meter.is_on},
    CommandType.READ_VOLTAGE: lambda _meter: {"voltage": Decimal("230.1")},
    CommandType.READ_CURRENT: lambda _meter: {"current": Decimal("0.5")},
    CommandType.READ_POWER: lambda _meter: {"power": Decimal("115.0")},
    CommandType.READ_POWER_LIMIT: lambda meter: {"powerLimit": meter.power_limit_w},
    CommandType.READ_VERSION: lambda _meter: {"version": "memory"},
}


def _refuse_unwritable(message: DeviceMessage) -> None:
    reason = _unwritable(message)
    if reason is not None:
        raise SendFailed(FailureContext(reason=reason, skip_retry=True))


def _unwritable(message: DeviceMessage) -> str | None:
    request = message.request_data
    if message.command_type not in _SUPPORTED:
        return "Not implemented"
    if message.command_type in TOKEN_COMMANDS:
        return None if request and request.token and request.token.strip() else _NO_TOKEN
    if message.command_type is CommandType.SET_DATE:
        return _NO_PAYLOAD if request is None or request.payload is None else _unwritable_date(request.payload)
    return None


def _unwritable_date(payload: SetDate | SetTime) -> str | None:
    try:
        is_day = isinstance(payload, SetDate) and payload.on_calendar() is not None
    except InvalidInput:
        is_day = False
    return None if is_day else _BAD_DATE
