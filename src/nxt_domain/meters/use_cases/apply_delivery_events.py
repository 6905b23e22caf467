"""What the delivery layer reports becomes the state of interactions and meters [MET 5.7, 5.9, 5.10]."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import attrs

from nxt_domain.grids.model import Gateway
from nxt_domain.messaging.model import UNSOLICITED_COMMANDS, CommandType, DeliveryEvent, ExecutionStatus
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
from nxt_domain.meters.state_events import Actor, StateEvent, StateEventKind, event_of
from nxt_domain.meters.use_cases.follow_ups import CreditRead, read_credits
from nxt_domain.meters.use_cases.judge_top_ups import judge_top_ups
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.json import JsonObject
from nxt_domain.shared.outbox import OutboxTask
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_domain.shared.wakeups import Channel, WakeUps


@attrs.frozen(kw_only=True)
class Unknown:
    """What events named that is not in our books, for the log [MET-82, DM-181].

    Attributes:
        meters: Numbers of meters that spoke without being known.
        gateways: References of gateways that heard known meters.
    """

    meters: Collection[str] = ()
    gateways: Collection[str] = ()


@attrs.frozen
class _Step:
    """An event and what it came to."""

    event: DeliveryEvent
    outcome: Outcome


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

    async def __call__(self, events: Sequence[DeliveryEvent]) -> Unknown:
        """Apply events in their order.

        Args:
            events: Of any interactions and meters; what is none of ours is left out.

        Returns:
            What was not known.
        """
        async with self._begin() as tx:
            unknown = await apply_events(tx, events, self._clock.now())
            await tx.commit()
        self._wakeups.hint(Channel.OUTBOX, Channel.MESSAGING)
        return unknown


async def apply_events(tx: MetersTransaction, events: Sequence[DeliveryEvent], now: datetime) -> Unknown:
    """As ``ApplyDeliveryEvents``, in the caller's transaction."""
    return await _Application(tx, now).run(events)


class _Application:
    def __init__(self, tx: MetersTransaction, now: datetime) -> None:
        self._tx = tx
        self._now = now
        self._meters: dict[int, Meter] = {}
        self._numbers: dict[str, int] = {}
        self._gateways: dict[str, Gateway] = {}
        self._observations: list[MeterObservation] = []
        self._tasks: list[OutboxTask] = []

    async def run(self, events: Sequence[DeliveryEvent]) -> Unknown:
        solicited = [(number, event) for event in events if (number := _interaction_id(event)) is not None]
        spoken = [event for event in events if _is_of_interest(event)]
        interactions = await self._load([number for number, _ in solicited], events)
        steps = self._decide(solicited, interactions)
        await self._store(steps)
        await self._store_reports([event for event in spoken if event.command_type is CommandType.READ_REPORT])
        await self._tx.meters.observe(self._observations)
        await self._follow_up(steps)
        await self._tx.outbox.add(self._tasks)
        return Unknown(
            meters={event.device.external_reference for event in spoken} - set(self._numbers),
            gateways=_heard_by(events) - set(self._gateways),
        )

    async def _load(self, interaction_ids: Sequence[int], events: Sequence[DeliveryEvent]) -> dict[int, Interaction]:
        """Lock meters first, then interactions, each by ascending id [R25]."""
        meter_of = await self._tx.interactions.meters_of(interaction_ids)
        speakers = {event.device.external_reference for event in events if _is_of_interest(event)}
        self._numbers = dict(await self._tx.meters.ids_of(speakers))
        self._meters = dict(await self._tx.meters.lock({*meter_of.values(), *self._numbers.values()}))
        self._gateways = dict(await self._tx.grids.gateways(_heard_by(events)))
        return dict(await self._tx.interactions.lock(list(meter_of)))

    def _decide(
        self, solicited: Sequence[tuple[int, DeliveryEvent]], interactions: dict[int, Interaction]
    ) -> Sequence[_Step]:
        """Apply each event to what the one before it left."""
        steps: list[_Step] = []
        for number, event in solicited:
            interaction = interactions.get(number)
            if interaction is None or interaction.meter_id not in self._meters:
                continue
            outcome = outcome_of(interaction, event, self._now)
            interactions[number] = outcome.interaction
            steps.append(_Step(event, outcome))
        return steps

    async def _store(self, steps: Sequence[_Step]) -> None:
        changed = {step.outcome.interaction.id: step.outcome.interaction for step in steps if step.outcome.is_changed}
        await self._tx.interactions.save([changed[number] for number in sorted(changed)])
        history: list[StateEvent] = []
        for step in steps:
            outcome, event = step.outcome, step.event
            meter = self._meters[outcome.interaction.meter_id]
            if outcome.proves is not None:
                self._observe(observed(outcome.proves, meter, event.occurred_at), event)
            else:
                self._observe(MeterObservation(meter_id=meter.id, observed_at=event.occurred_at), event)
            if outcome.is_changed and not outcome.is_partial:
                self._tell(Operation.UPDATE, outcome.interaction, meter)
            if outcome.is_late:
                history.append(event_of(StateEventKind.LATE_RESULT, Actor.DEVICE, outcome.interaction, meter))
            if outcome.wants_verification:
                history.append(event_of(StateEventKind.VERIFYING, Actor.TRIAGE, outcome.interaction, meter))
        await self._tx.state_events.add(history)

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

    async def _follow_up(self, steps: Sequence[_Step]) -> None:
        outcomes = [step.outcome for step in steps]
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
        """Note an observation; what the gatekeeper is asked about next knows of it already."""
        observation = _with_gateway(observation, event, self._gateways)
        if observation.seen or observation.snr is not None:
            self._observations.append(observation)
        meter = self._meters[observation.meter_id]
        if observation.seen and (meter.last_seen_at is None or meter.last_seen_at < observation.observed_at):
            self._meters[meter.id] = attrs.evolve(meter, last_seen_at=observation.observed_at)

    def _tell(self, operation: Operation, interaction: Interaction, meter: Meter) -> None:
        task = socket_event(operation, interaction, meter)
        if task is not None:
            self._tasks.append(task)


def _interaction_id(event: DeliveryEvent) -> int | None:
    """Read the adopter's id of the interaction; None: the meter spoke of its own accord, or to someone else."""
    text = event.correlation_id
    return int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) <= 18 else None


def _is_of_interest(event: DeliveryEvent) -> bool:
    """Whether a meter said something of its own accord that is considered at all [MET-82]."""
    return (
        event.unsolicited
        and event.device.type == "ELECTRICITY_METER"
        and event.command_type in UNSOLICITED_COMMANDS
        and event.response is not None
        and event.response.status is ExecutionStatus.EXECUTION_SUCCESS
    )


def _heard_by(events: Sequence[DeliveryEvent]) -> set[str]:
    """Collect the gateways that heard uplinks, in lower case."""
    nodes = [event.device.relay_node for event in events]
    return {
        node.external_reference.lower() for node in nodes if node and node.external_reference and node.snr is not None
    }


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
