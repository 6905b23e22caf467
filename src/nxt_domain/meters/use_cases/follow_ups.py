"""Reads that the system itself asks for, after an interaction or to look into one [MET-84, MET-123]."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import attrs

from nxt_domain.grids.model import GridTwin
from nxt_domain.meters.commands import priority_of
from nxt_domain.meters.gatekeeper import judge
from nxt_domain.meters.model import (
    Interaction,
    InteractionStatus,
    InteractionType,
    Meter,
    NewInteraction,
    Origin,
)
from nxt_domain.meters.news import Operation, socket_event
from nxt_domain.meters.ports import MetersTransaction
from nxt_domain.meters.state_events import Actor, StateEventKind, event_of
from nxt_domain.meters.use_cases.hand_over import hand_over

READ_TTL = timedelta(minutes=30)
VERIFICATION_TTL = timedelta(hours=2)


@attrs.frozen(kw_only=True)
class CreditRead:
    """A wanted read of a meter's credit.

    Attributes:
        after: The interaction that it follows up or verifies.
        origin: ``FOLLOW_UP`` or ``VERIFICATION``.
    """

    meter: Meter
    after: Interaction
    origin: Origin


def can_answer(read: Interaction, wanted: CreditRead) -> bool:
    """Whether a read that is already waiting serves as well: it must not have been sent before the write [MET-109].

    Whether it was sent is known from its event, which may lag behind by a moment: then the credit read is the old
    one, until the next report.

    A verification must be answered by a read of its own, because its end is what decides.
    """
    return (
        read.type is InteractionType.READ_CREDIT
        and wanted.origin is Origin.FOLLOW_UP
        and read.meter_id == wanted.meter.id
        and read.meter_commissioning_id is None
        and read.status in {InteractionStatus.QUEUED, InteractionStatus.SUSPENDED}
        and read.first_transmitted_at is None
    )


async def read_credits(tx: MetersTransaction, wanted: Sequence[CreditRead], now: datetime) -> Sequence[Interaction]:
    """Create, judge and hand over credit reads, and return them; a read that is still waiting serves, too [MET-109].

    Args:
        tx: Holds the locks of the meters.
        wanted: At most one per followed interaction.
        now: Aware UTC.
    """
    if not wanted:
        return ()
    waiting = await tx.interactions.unfinished({read.meter.id for read in wanted}, {InteractionType.READ_CREDIT})
    fresh, joining = _sorted_out(wanted, waiting)
    twins = await tx.grids.twins(_grids(fresh))
    stored = await tx.interactions.add([_new_read(read, twins, now) for read in fresh])
    meters = {read.meter.id: read.meter for read in fresh}
    queued = [(read, meters[read.meter_id]) for read in stored if read.status is InteractionStatus.QUEUED]
    refused = {read.id: read for read in await hand_over(tx, queued, now)}
    created = [refused.get(read.id, read) for read in stored]
    await _join(tx, joining, waiting, created, now)
    news = (socket_event(Operation.CREATE, read, meters[read.meter_id]) for read in created)
    await tx.outbox.add([task for task in news if task is not None])
    return created


def _sorted_out(
    wanted: Sequence[CreditRead], waiting: Sequence[Interaction]
) -> tuple[Sequence[CreditRead], Sequence[CreditRead]]:
    """Split into reads to be created, and those that another read of their meter answers."""
    fresh: list[CreditRead] = []
    joining: list[CreditRead] = []
    followed: set[int] = set()
    for read in wanted:
        is_follow_up = read.origin is Origin.FOLLOW_UP
        is_answered = any(can_answer(other, read) for other in waiting) or read.meter.id in followed
        if is_follow_up and is_answered:
            joining.append(read)
            continue
        fresh.append(read)
        if is_follow_up:
            followed.add(read.meter.id)
    return fresh, joining


async def _join(
    tx: MetersTransaction,
    joining: Sequence[CreditRead],
    waiting: Sequence[Interaction],
    created: Sequence[Interaction],
    now: datetime,
) -> None:
    """Let waiting reads serve further requests: their rank may rise, and they live as long as the newest needs."""
    serving: dict[int, Interaction] = {}
    requests: list[int] = []
    for read in joining:
        known = next((other for other in waiting if can_answer(other, read)), None)
        if known is None:  # one of those just created, which is as young and as urgent
            requests.append(next(new.id for new in created if _follows(new, read.meter)))
            continue
        served = serving.get(known.id, known)
        requests.append(known.id)
        serving[known.id] = attrs.evolve(
            served,
            priority=max(served.priority, priority_of(read.after.type, read.after.origin)),
            expires_at=max(served.expires_at or now, now + READ_TTL),
            updated_at=now,
        )
    await tx.interactions.save(list(serving.values()))
    await tx.interactions.join(requests, Origin.FOLLOW_UP)
    meters = {read.meter.id: read.meter for read in joining}
    await tx.state_events.add(
        [event_of(StateEventKind.COALESCED, Actor.SYSTEM, read, meters[read.meter_id]) for read in serving.values()]
    )


def _follows(new: Interaction, meter: Meter) -> bool:
    return new.meter_id == meter.id and new.origin is Origin.FOLLOW_UP


def _new_read(read: CreditRead, twins: Mapping[int, GridTwin], now: datetime) -> NewInteraction:
    twin = None if read.meter.grid_id is None else twins.get(read.meter.grid_id)
    verdict = judge(InteractionType.READ_CREDIT, read.meter, twin, now)
    is_verification = read.origin is Origin.VERIFICATION
    return NewInteraction(
        meter_id=read.meter.id,
        type=InteractionType.READ_CREDIT,
        status=verdict.status,
        origin=read.origin,
        # As urgent as what it follows [MET-71].
        priority=priority_of(read.after.type, read.after.origin),
        organization_id=read.meter.organization_id,
        delivery_failures=() if verdict.failure is None else (verdict.failure,),
        resolution=verdict.resolution,
        follow_up_of_id=read.after.id,
        expires_at=now + (VERIFICATION_TTL if is_verification else READ_TTL),
    )


def _grids(reads: Sequence[CreditRead]) -> Collection[int]:
    return {read.meter.grid_id for read in reads if read.meter.grid_id is not None}
