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
from nxt_domain.meters.use_cases.hand_over import all_messages

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
    """Create, judge and hand over credit reads, and return them; those that a waiting read can answer are left out.

    Args:
        tx: Holds the locks of the meters.
        wanted: At most one per followed interaction.
        now: Aware UTC.
    """
    if not wanted:
        return ()
    waiting = await tx.interactions.unfinished({read.meter.id for read in wanted}, {InteractionType.READ_CREDIT})
    fresh = [read for read in wanted if not any(can_answer(other, read) for other in waiting)]
    twins = await tx.grids.twins(_grids(fresh))
    stored = await tx.interactions.add([_new_read(read, twins, now) for read in fresh])
    meters = {read.meter.id: read.meter for read in fresh}
    pairs = [(interaction, meters[interaction.meter_id]) for interaction in stored]
    await tx.messages.enqueue(all_messages(pair for pair in pairs if pair[0].status is InteractionStatus.QUEUED))
    news = (socket_event(Operation.CREATE, *pair) for pair in pairs)
    await tx.outbox.add([task for task in news if task is not None])
    return stored


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
