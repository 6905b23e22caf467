"""What tests of meters do with a store: the same handles in memory and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs

from nxt_adapters.memory.database import MemoryClock
from nxt_adapters.memory.wakeups import MemoryWakeUps
from nxt_domain.grids.model import CommunicationProtocol
from nxt_domain.messaging.model import (
    CommandType,
    DeliveryEvent,
    DeliveryStatus,
    Device,
    DeviceMessage,
    ExecutionStatus,
    FailureRecord,
    RelayNode,
    Response,
)
from nxt_domain.meters.model import Interaction, InteractionType, Meter, NewInteraction

RADIO = CommunicationProtocol.CALIN_LORAWAN
NUMBERS = ("47001000117", "47001000224", "47001000331")
NUMBER_WITHOUT_GRID = "47001000448"
DELETED_NUMBER = "47001000555"
V1_NUMBER = "47001000662"
EUI, OTHER_EUI = "a84041ffff210001", "a84041FFFF210002"
TARIFF = Decimal(250)


@attrs.frozen(kw_only=True)
class Task:
    """An outbox task as both stores show it."""

    kind: str
    dedupe_key: str
    payload: Mapping[str, Any]
    stream_key: str | None
    is_open: bool = True


class MetersWorld:
    """What tests do with a store of meters; ``MemoryVillage`` and ``PostgresVillage`` are its two kinds.

    Three radio meters of one grid with two gateways, one without grid, a deleted one, and one behind a V1 gateway.
    """

    clock: MemoryClock
    wakeups: MemoryWakeUps
    grid_id: int
    gateway_ids: list[int]
    v1_gateway_id: int
    meter_ids: list[int]
    v1_meter_id: int
    loose_meter_id: int
    deleted_meter_id: int

    def begin(self) -> Any:
        """Open a transaction over everything."""
        raise NotImplementedError

    async def new_order(self, meter_id: int) -> int:
        """Make a row that an interaction may belong to."""
        raise NotImplementedError

    async def set_gateway(self, gateway_id: int, *, is_online: bool) -> None:
        raise NotImplementedError

    async def set_power(self, *, is_hps_on: bool, is_managed: bool = True) -> None:
        raise NotImplementedError

    async def set_meter(self, meter_id: int, **changes: Any) -> None:
        """Change fields of ``Meter``: last_seen_at, power_limit_w, phase, protocol…"""
        raise NotImplementedError

    async def give_key(self, meter_id: int, key: str) -> None:
        """Write a meter's decoder key as a client does; an empty text deletes it."""
        raise NotImplementedError

    async def lose_key(self, meter_id: int) -> None:
        """Let a meter's decoder key be sealed with a data key that is not at hand."""
        raise NotImplementedError

    async def age(self, interaction_id: int, step: timedelta) -> None:
        """Let an interaction have happened earlier."""
        raise NotImplementedError

    async def reported(self, meter_id: int) -> dict[str, Any]:
        """What the meter's row tells, by the database's names."""
        raise NotImplementedError

    async def shadows(self, meter_id: int) -> dict[str, tuple[int, int | None]]:
        """Attribute to reported value and the interaction that proved it."""
        raise NotImplementedError

    async def history(self) -> list[tuple[str, str, int | None]]:
        """Event, actor and interaction of the meters' history."""
        raise NotImplementedError

    async def requests(self) -> list[tuple[int, str, bool]]:
        """Interaction, origin, coalesced."""
        raise NotImplementedError

    async def tasks(self, kind: str | None = None) -> list[Task]:
        raise NotImplementedError

    async def messages(self) -> list[DeviceMessage]:
        """Live device messages, oldest first."""
        raise NotImplementedError

    async def interactions(self) -> list[Interaction]:
        """All interactions, by id."""
        raise NotImplementedError

    async def tokens(self) -> list[tuple[int, datetime, str | None]]:
        """Meter, minute and digits of every token, by minute."""
        raise NotImplementedError

    # -- shortcuts ------------------------------------------------------------------------------

    async def add(self, *new: NewInteraction) -> list[Interaction]:
        async with self.begin() as tx:
            stored = await tx.interactions.add(list(new))
            await tx.commit()
        return list(stored)

    async def save(self, *changed: Interaction) -> None:
        async with self.begin() as tx:
            await tx.interactions.save(list(changed))
            await tx.commit()

    async def interaction(self, interaction_id: int) -> Interaction:
        return next(found for found in await self.interactions() if found.id == interaction_id)

    async def of_type(self, kind: InteractionType) -> list[Interaction]:
        return [found for found in await self.interactions() if found.type is kind]

    async def meter(self, meter_id: int) -> Meter:
        async with self.begin() as tx:
            meter: Meter = (await tx.meters.lock([meter_id]))[meter_id]
        return meter

    def event(
        self,
        interaction_id: int | None,
        status: DeliveryStatus,
        *,
        command: CommandType = CommandType.TOP_UP_KWH,
        number: str = NUMBERS[0],
        data: Mapping[str, Any] | None = None,
        execution: ExecutionStatus | None = None,
        history: Sequence[FailureRecord] = (),
        heard_by: RelayNode | None = None,
        at: datetime | None = None,
        **changes: Any,
    ) -> DeliveryEvent:
        """Make an event of the delivery layer."""
        self._events = getattr(self, "_events", 0) + 1
        return DeliveryEvent(
            event_id=f"{self._events:026d}",
            occurred_at=at or self.clock.now(),
            plugin_id="calin-chirpstack",
            delivery_status=status,
            device=Device(external_reference=number, relay_node=heard_by),
            correlation_id=None if interaction_id is None else str(interaction_id),
            command_type=command,
            response=None if execution is None else Response(status=execution, data=data),
            failure_history=history,
            **changes,
        )

    def handed_on(self, interaction_id: int, **changes: Any) -> DeliveryEvent:
        """The message was picked up."""
        return self.event(interaction_id, DeliveryStatus.SENT_TO_NS, **changes)

    def succeeded(self, interaction_id: int, data: Mapping[str, Any] | None = None, **changes: Any) -> DeliveryEvent:
        """The meter did it."""
        done = ExecutionStatus.EXECUTION_SUCCESS
        return self.event(interaction_id, DeliveryStatus.DELIVERY_SUCCESSFUL, data=data, execution=done, **changes)

    def refused(self, interaction_id: int, *, after: Sequence[DeliveryStatus] = (), **changes: Any) -> DeliveryEvent:
        """The meter said no, after attempts that ended in other statuses."""
        statuses = [DeliveryStatus.DELIVERY_SUCCESSFUL, *reversed(after)]
        history = [
            FailureRecord(
                timestamp=self.clock.now() - timedelta(minutes=age), status=status, reason="no", is_final=age == 0
            )
            for age, status in enumerate(statuses)
        ]
        return self.event(
            interaction_id,
            DeliveryStatus.DELIVERY_SUCCESSFUL,
            execution=ExecutionStatus.EXECUTION_FAILURE,
            data={"tokenAccepted": False},
            history=history,
            **changes,
        )

    def undelivered(self, interaction_id: int, *, last: DeliveryStatus, **changes: Any) -> DeliveryEvent:
        """All attempts are spent."""
        record = FailureRecord(timestamp=self.clock.now(), status=last, reason="timed out", is_final=True)
        return self.event(interaction_id, DeliveryStatus.DELIVERY_FAILED, history=[record], **changes)

    def report(self, number: str = NUMBERS[0], *, freeze_time: str = "2026-03-10 10:00", **facts: Any) -> DeliveryEvent:
        """A meter reports of its own accord."""
        changes = {name: facts.pop(name) for name in ("at", "heard_by") if name in facts}
        data = {
            "freezeTime": freeze_time,
            "consumptionSource1": Decimal("100.5"),
            "purchaseRemainSource1": Decimal("12.345"),
            "meterStatus": {"relayOpen": False},
        }
        return self.event(
            None,
            DeliveryStatus.DELIVERY_SUCCESSFUL,
            command=CommandType.READ_REPORT,
            number=number,
            data=data | facts,
            execution=ExecutionStatus.EXECUTION_SUCCESS,
            unsolicited=True,
            **changes,
        )
