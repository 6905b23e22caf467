"""What the delivery layer reports becomes the state of interactions and meters [MET 5.7, 5.9, 5.10]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import attrs

from nxt_domain.grids.model import Gateway
from nxt_domain.messaging.model import CommandType, DeliveryEvent, ExecutionStatus
from nxt_domain.messaging.result_keys import result_value
from nxt_domain.meters.effects import observed
from nxt_domain.meters.model import (
    Interaction,
    InteractionStatus,
    InteractionType,
    Meter,
    MeterObservation,
    NewInteraction,
    Origin,
    Resolution,
)
from nxt_domain.meters.news import Operation, hourly_report, socket_event
from nxt_domain.meters.outcomes import Outcome, outcome_of
from nxt_domain.meters.ports import MetersTransaction
from nxt_domain.meters.use_cases.follow_ups import CreditRead, read_credits
from nxt_domain.meters.use_cases.judge_top_ups import judge_top_ups
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.json import JsonObject
from nxt_domain.shared.outbox import OutboxTask
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_domain.shared.wakeups import Channel, WakeUps


class ApplyDeliveryEvents:
    """Stores the outcome of events, many at a time, in one transaction.

    Events may arrive twice or late: an outcome that is already there changes nothing [MET-53].

    Args:
        begin: Opens a transaction.
        clock: Tells the time.
        wakeups: Wakes those who publish and deliver what follows.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[MetersTransaction], clock: Clock, wakeups: WakeUps) -> None:
        self._begin = begin
        self._clock = clock
        self._wakeups = wakeups

    async def __call__(self, events: Sequence[DeliveryEvent]) -> None:
        """Apply events in their order.

        Args:
            events: At most one per interaction; any number of reports.
        """
        async with self._begin() as tx:
            await _Application(tx, self._clock.now()).run(events)
            await tx.commit()
        self._wakeups.hint(Channel.OUTBOX, Channel.MESSAGING)


class _Application:
    def __init__(self, tx: MetersTransaction, now: datetime) -> None:
        self._tx = tx
        self._now = now
        self._meters: dict[int, Meter] = {}
        self._numbers: dict[str, int] = {}
        self._gateways: dict[str, Gateway] = {}
        self._observations: list[MeterObservation] = []
        self._tasks: list[OutboxTask] = []

    async def run(self, events: Sequence[DeliveryEvent]) -> None:
        solicited = {int(event.correlation_id): event for event in events if event.correlation_id is not None}
        reports = [event for event in events if _is_report(event)]
        interactions = await self._load(solicited, reports)
        outcomes = [
            outcome_of(interaction, solicited[interaction.id], self._now)
            for interaction in interactions
            if interaction.meter_id in self._meters
        ]
        await self._store(outcomes, solicited)
        await self._store_reports(reports)
        await self._tx.meters.observe(sorted(self._observations, key=lambda observation: observation.observed_at))
        await self._follow_up(outcomes)
        await self._tx.outbox.add(self._tasks)

    async def _load(
        self, solicited: dict[int, DeliveryEvent], reports: Sequence[DeliveryEvent]
    ) -> Sequence[Interaction]:
        """Lock meters first, then interactions, each by ascending id [R25]."""
        meter_of = await self._tx.interactions.meters_of(list(solicited))
        self._numbers = dict(await self._tx.meters.ids_of({event.device.external_reference for event in reports}))
        self._meters = dict(await self._tx.meters.lock({*meter_of.values(), *self._numbers.values()}))
        heard_by = {
            event.device.relay_node.external_reference
            for event in (*solicited.values(), *reports)
            if event.device.relay_node is not None and event.device.relay_node.external_reference
        }
        self._gateways = dict(await self._tx.grids.gateways(heard_by))
        locked = await self._tx.interactions.lock(list(solicited))
        return [locked[identity] for identity in sorted(locked)]

    async def _store(self, outcomes: Sequence[Outcome], events: dict[int, DeliveryEvent]) -> None:
        changed = [outcome.interaction for outcome in outcomes if outcome.is_changed]
        await self._tx.interactions.save(changed)
        for outcome in outcomes:
            meter = self._meters[outcome.interaction.meter_id]
            event = events[outcome.interaction.id]
            if outcome.proves is not None:
                self._observe(observed(outcome.proves, meter, event.occurred_at), event)
            elif event.device.relay_node is not None:
                self._observe(MeterObservation(meter_id=meter.id, observed_at=event.occurred_at), event)
            if outcome.is_changed:
                self._tell(Operation.UPDATE, outcome.interaction, meter)

    async def _store_reports(self, reports: Sequence[DeliveryEvent]) -> None:
        """Store reports that are new to us; the same ``freeze_time`` again is the same report [MET-82]."""
        newest = dict(await self._tx.interactions.newest_freeze_times(set(self._numbers.values())))
        fresh: list[tuple[DeliveryEvent, Meter, JsonObject]] = []
        for event in reports:
            meter = self._meters.get(self._numbers.get(event.device.external_reference, 0))
            result: JsonObject = result_value(event.response.data or {}) if event.response is not None else {}
            freeze_time = result.get("freeze_time")
            if meter is None or (isinstance(freeze_time, str) and newest.get(meter.id) == freeze_time):
                continue
            if isinstance(freeze_time, str):
                newest[meter.id] = freeze_time
            fresh.append((event, meter, result))
        stored = await self._tx.interactions.add([_new_report(meter, result) for _, meter, result in fresh])
        for interaction, (event, meter, result) in zip(stored, fresh, strict=True):
            self._observe(observed(interaction, meter, event.occurred_at), event)
            self._tasks.append(hourly_report(interaction, meter, result, event.occurred_at))

    async def _follow_up(self, outcomes: Sequence[Outcome]) -> None:
        reads = [
            CreditRead(
                meter=self._meters[outcome.interaction.meter_id],
                after=outcome.interaction,
                origin=Origin.VERIFICATION if outcome.wants_verification else Origin.FOLLOW_UP,
            )
            for outcome in outcomes
            if outcome.wants_verification or outcome.wants_credit_read
        ]
        created = await read_credits(self._tx, reads, self._now)
        ended = [outcome.interaction for outcome in outcomes if outcome.ends_verification]
        # A look that can't even begin (a silent meter) has ended, too.
        ended += [read for read in created if read.status.is_final and read.origin is Origin.VERIFICATION]
        for verified in await judge_top_ups(self._tx, ended, self._meters, self._now):
            self._tell(Operation.UPDATE, verified, self._meters[verified.meter_id])

    def _observe(self, observation: MeterObservation, event: DeliveryEvent) -> None:
        self._observations.append(_with_gateway(observation, event, self._gateways))

    def _tell(self, operation: Operation, interaction: Interaction, meter: Meter) -> None:
        task = socket_event(operation, interaction, meter)
        if task is not None:
            self._tasks.append(task)


def _is_report(event: DeliveryEvent) -> bool:
    return (
        event.unsolicited
        and event.command_type is CommandType.READ_REPORT
        and event.response is not None
        and event.response.status is ExecutionStatus.EXECUTION_SUCCESS
    )


def _new_report(meter: Meter, result: JsonObject) -> NewInteraction:
    return NewInteraction(
        meter_id=meter.id,
        type=InteractionType.READ_REPORT,
        status=InteractionStatus.SUCCESSFUL,
        origin=Origin.UNSOLICITED,
        priority=10,
        organization_id=meter.organization_id,
        result=result,
        resolution=Resolution.DELIVERED,
    )


def _with_gateway(
    observation: MeterObservation, event: DeliveryEvent, gateways: dict[str, Gateway]
) -> MeterObservation:
    """Add who heard the uplink and how well [DM-181]; a gateway unknown to us leaves the meter's own."""
    node = event.device.relay_node
    if node is None or node.external_reference is None or node.snr is None or node.rssi is None:
        return observation
    gateway = gateways.get(node.external_reference.lower())
    return attrs.evolve(observation, snr=node.snr, rssi=node.rssi, gateway_id=None if gateway is None else gateway.id)
