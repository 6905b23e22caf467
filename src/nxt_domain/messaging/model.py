"""A device message, the events that move it, and the words both use [DM 2]."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum

import attrs

from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.ids import ulid_time
from nxt_domain.shared.json import JsonObject, storable, storable_text


def _text_or_none(text: str | None) -> str | None:
    return None if text is None else storable_text(text)


def _code(code: int | str | None) -> int | str | None:
    return storable_text(code) if isinstance(code, str) else code


def _data(data: JsonObject | None) -> JsonObject | None:
    return None if data is None else {storable_text(name): storable(value) for name, value in data.items()}


class CommandType(StrEnum):
    """The closed vocabulary of commands [DM-6]."""

    READ_CREDIT = "READ_CREDIT"
    READ_VOLTAGE = "READ_VOLTAGE"
    READ_CURRENT = "READ_CURRENT"
    READ_POWER = "READ_POWER"
    READ_POWER_LIMIT = "READ_POWER_LIMIT"
    READ_VERSION = "READ_VERSION"
    READ_DATE = "READ_DATE"
    READ_TIME = "READ_TIME"
    TURN_ON = "TURN_ON"
    TURN_OFF = "TURN_OFF"
    SET_DATE = "SET_DATE"
    SET_TIME = "SET_TIME"
    TOP_UP_KWH = "TOP_UP_KWH"
    SET_POWER_LIMIT = "SET_POWER_LIMIT"
    CLEAR_TAMPER = "CLEAR_TAMPER"
    CLEAR_CREDIT = "CLEAR_CREDIT"
    DELIVER_PREEXISTING_TOKEN = "DELIVER_PREEXISTING_TOKEN"  # noqa: S105 - a command's name
    READ_REPORT = "READ_REPORT"
    JOIN_NETWORK = "JOIN_NETWORK"


UNSOLICITED_COMMANDS = frozenset({CommandType.READ_REPORT, CommandType.JOIN_NETWORK})
"""Sent by meters of their own accord; never enqueued [DM-7]."""

_CENTURY = 2000

TOKEN_COMMANDS = frozenset(
    {
        CommandType.TOP_UP_KWH,
        CommandType.SET_POWER_LIMIT,
        CommandType.CLEAR_TAMPER,
        CommandType.CLEAR_CREDIT,
        CommandType.DELIVER_PREEXISTING_TOKEN,
    }
)
"""Commands that carry a token; on the wire all five look alike [DM-78]."""


class DeliveryStatus(StrEnum):
    """How far a message has come [DM 2.4]."""

    QUEUED = "QUEUED"
    SENT_TO_NS = "SENT_TO_NS"
    DELIVERED_TO_NS = "DELIVERED_TO_NS"
    SENT_TO_DEVICE = "SENT_TO_DEVICE"
    TO_RETRY = "TO_RETRY"
    DELIVERY_SUCCESSFUL = "DELIVERY_SUCCESSFUL"
    DELIVERY_FAILED = "DELIVERY_FAILED"

    @property
    def is_terminal(self) -> bool:
        """Whether the message has left the store."""
        return self in {DeliveryStatus.DELIVERY_SUCCESSFUL, DeliveryStatus.DELIVERY_FAILED}

    @property
    def is_in_flight(self) -> bool:
        """Whether an attempt is under way, so that the message may hold a slot [DM-27]."""
        return self in {DeliveryStatus.SENT_TO_NS, DeliveryStatus.DELIVERED_TO_NS, DeliveryStatus.SENT_TO_DEVICE}


class ExecutionStatus(StrEnum):
    """What the device did with a delivered command [DM-10]."""

    EXECUTION_SUCCESS = "EXECUTION_SUCCESS"
    EXECUTION_FAILURE = "EXECUTION_FAILURE"


class Phase(StrEnum):
    """A phase of a three-phase meter."""

    A = "A"
    B = "B"
    C = "C"


@attrs.frozen(kw_only=True)
class RelayNode:
    """The gateway, DCU or mesh hop between network and meter.

    Attributes:
        id: Our id of it (``dcus.id``), if known.
        external_reference: Its id at the network server.
        snr: Signal-to-noise ratio of the uplink it heard, dB.
        rssi: Received signal strength, dBm.
    """

    id: int | None = None
    external_reference: str | None = attrs.field(default=None, converter=_text_or_none)
    snr: float | None = None
    rssi: float | None = None


@attrs.frozen(kw_only=True)
class Device:
    """The meter a message is for, or an event from."""

    external_reference: str = attrs.field(converter=storable_text)
    relay_node: RelayNode | None = None
    type: str = "ELECTRICITY_METER"


@attrs.frozen(kw_only=True)
class SetDate:
    """A calendar date, local to the grid."""

    year: int = attrs.field(validator=[attrs.validators.ge(0), attrs.validators.le(9999)])
    month: int = attrs.field(validator=[attrs.validators.ge(1), attrs.validators.le(12)])
    day: int = attrs.field(validator=[attrs.validators.ge(1), attrs.validators.le(31)])

    def on_calendar(self) -> date:
        """Return the day itself; a year below 100 means 2000 + year [DM-76].

        Raises:
            InvalidInput: There is no such day from 2000 to 2099.
        """
        parts = (self.year, self.month, self.day)
        if any(isinstance(part, bool) or not isinstance(part, int) for part in parts):
            raise InvalidInput("year, month and day must be whole numbers")
        year = self.year + _CENTURY if self.year < 100 else self.year
        if not _CENTURY <= year < _CENTURY + 100:
            raise InvalidInput("the year must be one from 2000 to 2099")
        try:
            return date(year, self.month, self.day)
        except ValueError as impossible:
            raise InvalidInput("the date does not exist in the calendar") from impossible


@attrs.frozen(kw_only=True)
class SetTime:
    """A time of day, local to the grid."""

    hour: int = attrs.field(validator=[attrs.validators.ge(0), attrs.validators.le(23)])
    minute: int = attrs.field(validator=[attrs.validators.ge(0), attrs.validators.le(59)])
    second: int | None = attrs.field(
        default=None, validator=attrs.validators.optional([attrs.validators.ge(0), attrs.validators.le(59)])
    )


@attrs.frozen(kw_only=True)
class RequestData:
    """What a command carries: a token made beforehand, or a date or time to set."""

    token: str | None = attrs.field(default=None, repr=lambda token: "None" if token is None else "'•••'")
    payload: SetDate | SetTime | None = None


@attrs.frozen(kw_only=True)
class FailureContext:
    """Why an attempt failed, in a plug-in's words; what no database takes is replaced.

    Attributes:
        reason: One sentence, shown to operators.
        error_code: The vendor's number or word.
        details: The vendor's text, without secrets.
        skip_retry: True: no further attempt can help.
    """

    reason: str = attrs.field(converter=storable_text)
    error_code: int | str | None = attrs.field(default=None, converter=_code)
    details: str | None = attrs.field(default=None, converter=_text_or_none)
    skip_retry: bool = False


@attrs.frozen(kw_only=True)
class FailureRecord:
    """One failed attempt, as kept in a message's history, newest first [DM-56]."""

    timestamp: datetime
    status: DeliveryStatus
    reason: str
    error_code: int | str | None = None
    details: str | None = None
    is_final: bool = False


@attrs.frozen(kw_only=True)
class Response:
    """A device's answer: camelCase keys, as the plug-in read them; what no database takes is replaced."""

    status: ExecutionStatus
    data: JsonObject | None = attrs.field(default=None, converter=_data)


@attrs.frozen(kw_only=True)
class NewMessage:
    """A command to enqueue.

    Attributes:
        priority: Higher is sooner; finite.
        plugin_id: Who delivers it, for its whole life.
        phase: For per-phase reads of three-phase meters.
        network_id: The grid's id; None when the meter has no grid.
        correlation_id: The adopter's id of it: the interaction's id as text.
    """

    command_type: CommandType
    priority: float
    plugin_id: str
    device: Device
    request_data: RequestData | None = None
    phase: Phase | None = None
    network_id: int | None = None
    correlation_id: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.command_type in UNSOLICITED_COMMANDS:
            raise InvalidInput(f"{self.command_type} can't be enqueued", code="UNSUPPORTED_COMMAND")
        if not self.device.external_reference:
            raise InvalidInput("device.externalReference should not be empty")
        if not math.isfinite(self.priority):
            raise InvalidInput("priority must be a finite number")


@attrs.frozen(kw_only=True)
class DeviceMessage:
    """A live message: a row of the store [DM 2.2].

    Attributes:
        id: ULID; its time part is the message's birth.
        delivery_queue_id: Id at the network server or vendor; empty while there is none.
        past_delivery_queue_ids: Ids of earlier attempts; a late answer to one still counts.
        retry_count: Failed attempts so far.
        failure_history: Newest first.
        due_at: When the engine must look at it next; None in a ready queue.
        lease_owner: The engine that works on it, while ``lease_until`` lies ahead.
        lease_until: When others may take it over; in the past when that process died.
    """

    id: str
    command_type: CommandType
    priority: float
    plugin_id: str
    device: Device
    ready_queue: str
    request_data: RequestData | None = None
    phase: Phase | None = None
    network_id: int | None = None
    correlation_id: str | None = None
    delivery_status: DeliveryStatus = DeliveryStatus.QUEUED
    delivery_queue_id: str = ""
    past_delivery_queue_ids: Sequence[str] = ()
    retry_count: int = 0
    failure_history: Sequence[FailureRecord] = ()
    enqueued_at: datetime
    expires_at: datetime
    due_at: datetime | None = None
    lease_owner: str | None = None
    lease_until: datetime | None = None

    @property
    def names(self) -> Mapping[str, object]:
        """By which a line of the log names it [DM-171]."""
        return {"message_id": self.id, "correlation_id": self.correlation_id, "plugin_id": self.plugin_id}

    def age(self, now: datetime) -> timedelta:
        """Time since birth, which is the id's time part [DM-5]."""
        return now - ulid_time(self.id)

    def knows(self, remote_id: str) -> bool:
        """Whether a remote id belongs to this attempt or an earlier one."""
        return remote_id == self.delivery_queue_id or remote_id in self.past_delivery_queue_ids


@attrs.frozen(kw_only=True)
class DeviceEvent:
    """What a vendor said, in one shape for all of them [DM 2.5].

    Attributes:
        delivery_queue_id: Id of the message at the vendor; None for device-initiated events.
        unsolicited: True when the meter spoke of its own accord.
    """

    delivery_status: DeliveryStatus
    device: Device
    delivery_queue_id: str | None = attrs.field(default=None, converter=_text_or_none)
    command_type: CommandType | None = None
    response: Response | None = None
    failure: FailureContext | None = None
    unsolicited: bool = False


class HalfKind(StrEnum):
    """Which part of a confirmed downlink's answer."""

    ACK = "ack"
    UP = "up"


@attrs.frozen(kw_only=True)
class EventHalf:
    """An acknowledgement or an answer, waiting for its other half [DM 10.5].

    Attributes:
        deduplication_id: Common to both halves.
        delivery_queue_id: From the acknowledgement.
        device: With the gateway, from the uplink.
        response: From the uplink.
    """

    kind: HalfKind
    deduplication_id: str = attrs.field(converter=storable_text)
    device: Device
    delivery_queue_id: str | None = attrs.field(default=None, converter=_text_or_none)
    response: Response | None = None
    failure: FailureContext | None = None

    def joined_with(self, other: EventHalf) -> DeviceEvent:
        """Make the one event of both halves: id from the ack, the rest from the uplink [DM-104]."""
        ack, up = (self, other) if self.kind is HalfKind.ACK else (other, self)
        return DeviceEvent(
            delivery_status=DeliveryStatus.DELIVERY_SUCCESSFUL,
            delivery_queue_id=ack.delivery_queue_id,
            device=up.device,
            response=up.response,
            failure=up.failure,
        )


@attrs.frozen(kw_only=True)
class DeliveryEvent:
    """What the adopter is told: first hand-over, the end, and unsolicited messages [DM-152, DM-153].

    Attributes:
        event_id: ULID; the same on every attempt to tell.
        message_id: None for unsolicited events, as ``correlation_id``.
    """

    event_id: str
    occurred_at: datetime
    plugin_id: str
    delivery_status: DeliveryStatus
    device: Device
    message_id: str | None = None
    correlation_id: str | None = None
    command_type: CommandType | None = None
    phase: Phase | None = None
    response: Response | None = None
    failure_history: Sequence[FailureRecord] = ()
    unsolicited: bool = False


class CancelResult(StrEnum):
    """What became of a cancellation, per correlation id [DM-65]."""

    NOT_FOUND = "NOT_FOUND"
    CANCELLED = "CANCELLED"
    NOT_CANCELLABLE = "NOT_CANCELLABLE"
