"""The end of a look into an unclear top-up [R21, MET-122 T5, MET-125]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import attrs

from nxt_domain.meters.failures import prepended
from nxt_domain.meters.model import (
    Interaction,
    InteractionFailure,
    InteractionStatus,
    Meter,
    Resolution,
    VerificationState,
)
from nxt_domain.meters.ports import MetersTransaction
from nxt_domain.meters.state_events import Actor, StateEvent, StateEventKind, event_of
from nxt_domain.meters.verification import assumed_power_kw, verify_top_up
from nxt_domain.shared.alerts import alert
from nxt_domain.tokens.rules import credited_kwh


async def judge_top_ups(
    tx: MetersTransaction, reads: Sequence[Interaction], meters: Mapping[int, Meter], now: datetime
) -> Sequence[Interaction]:
    """End the top-ups that ended verification reads looked into, and return them.

    Unclear top-ups are rare, and each has a history of its own: they are judged one by one.

    Args:
        tx: Holds the locks of the meters; the reads' own results are stored already.
        reads: ``READ_CREDIT`` of origin ``VERIFICATION``, just ended in whatever way.
        meters: Their meters, as far as they still exist.
        now: Aware UTC.
    """
    subjects = await tx.interactions.lock([read.follow_up_of_id for read in reads if read.follow_up_of_id is not None])
    ended = [
        await _judge(tx, subject, meters.get(subject.meter_id), now)
        for subject in subjects.values()
        if subject.status is InteractionStatus.PROCESSING and subject.verification_state is VerificationState.VERIFYING
    ]
    await tx.interactions.save(ended)
    await tx.state_events.add([_state_event(top_up, meters.get(top_up.meter_id)) for top_up in ended])
    await tx.outbox.add(
        [
            alert(
                "TOP_UP_FAILED",
                f"interaction:{top_up.id}",
                "A paid top-up was refused by the meter. Its token stays valid for manual entry, unless its minute was"
                " already used by another issuer",
                at=now,
                facts={"interaction_id": top_up.id, "order_id": top_up.order_id, "meter_id": top_up.meter_id},
            )
            for top_up in ended
            if top_up.status is InteractionStatus.FAILED
        ]
    )
    return ended


async def _judge(tx: MetersTransaction, top_up: Interaction, meter: Meter | None, now: datetime) -> Interaction:
    state = VerificationState.INCONCLUSIVE if meter is None else await _compare(tx, top_up, meter)
    if state is VerificationState.CONFIRMED:
        return top_up.moved_to(
            InteractionStatus.SUCCESSFUL,
            resolution=Resolution.VERIFIED,
            verification_state=state,
            updated_at=now,
        )
    record = InteractionFailure(
        timestamp=now,
        status=top_up.status,
        reason="The credit of the meter does not show the energy of the token",
        code=state.value,
        is_final=True,
    )
    return top_up.moved_to(
        InteractionStatus.FAILED,
        resolution=Resolution.REJECTED,
        verification_state=state,
        delivery_failures=prepended([record], top_up.delivery_failures),
        updated_at=now,
    )


async def _compare(tx: MetersTransaction, top_up: Interaction, meter: Meter) -> VerificationState:
    if top_up.token_issued_at is None or top_up.energy_kwh is None:
        return VerificationState.INCONCLUSIVE
    # The minute that a token carries may lie ahead of its making [PAY-114], the energy can arrive before it.
    issued_at = min(top_up.token_issued_at, top_up.created_at)
    observations, has_baseline = await tx.interactions.credit_observations(meter.id, issued_at)
    since = observations[0].observed_at if observations else issued_at
    others = await tx.interactions.other_top_ups(meter.id, since, than=top_up.id)
    return verify_top_up(
        credited_kwh(top_up.energy_kwh),
        observations,
        [attrs.evolve(other, energy_kwh=credited_kwh(other.energy_kwh)) for other in others],
        assumed_power_kw(meter.power_limit_w, meter.phase),
        has_baseline=has_baseline,
        clears=await tx.interactions.credit_clears(meter.id, since),
    )


def _state_event(top_up: Interaction, meter: Meter | None) -> StateEvent:
    kind = StateEventKind((top_up.verification_state or VerificationState.INCONCLUSIVE).value)
    return event_of(kind, Actor.TRIAGE, top_up, meter)
