"""Commands that waited for power or a gateway go out when these are back [MET 6.7]."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import attrs

from nxt_domain.grids.model import GridTwin
from nxt_domain.meters.commands import TOKENS
from nxt_domain.meters.failures import expired_record, prepended
from nxt_domain.meters.gatekeeper import Circumstances, Verdict, judge
from nxt_domain.meters.model import (
    Interaction,
    InteractionFailure,
    InteractionStatus,
    InteractionType,
    Meter,
    Origin,
    Resolution,
)
from nxt_domain.meters.news import Operation, socket_event
from nxt_domain.meters.ports import MetersTransaction
from nxt_domain.meters.state_events import Actor, StateEventKind, event_of
from nxt_domain.meters.use_cases.hand_over import hand_over
from nxt_domain.meters.use_cases.judge_top_ups import judge_top_ups
from nxt_domain.meters.use_cases.top_ups import credit_fences, is_fenced
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_domain.shared.wakeups import Channel, WakeUps

_PAGE = 500


@attrs.frozen(kw_only=True)
class Released:
    """How many suspended interactions went which way [MET-120]."""

    queued: int = 0
    suspended: int = 0
    aborted: int = 0


class ReleaseSuspended:
    """Judges every suspended interaction again, page by page.

    Args:
        begin: Opens a transaction.
        clock: Tells the time.
        wakeups: Wakes the message engine.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[MetersTransaction], clock: Clock, wakeups: WakeUps) -> None:
        self._begin = begin
        self._clock = clock
        self._wakeups = wakeups

    async def __call__(self) -> Released:
        """Run over all grids."""
        total, after_id = Released(), 0
        while True:
            async with self._begin() as tx:
                page = await tx.interactions.suspended(after_id=after_id, limit=_PAGE)
                changed = await self._judge_page(tx, page)
                await tx.commit()
            total = _add(total, changed, len(page))
            if len(page) < _PAGE:
                break
            after_id = page[-1].id
        if total.queued:
            self._wakeups.hint(Channel.MESSAGING, Channel.OUTBOX)
        return total

    async def _judge_page(self, tx: MetersTransaction, page: Sequence[Interaction]) -> Sequence[Interaction]:
        meters = await tx.meters.lock({interaction.meter_id for interaction in page})
        locked = await tx.interactions.lock([interaction.id for interaction in page])
        twins = await tx.grids.twins({meter.grid_id for meter in meters.values() if meter.grid_id is not None})
        clears = await credit_fences(tx, _with_top_ups(page))
        now = self._clock.now()
        changed: dict[int, Interaction] = {}
        for interaction in locked.values():
            meter = meters.get(interaction.meter_id)
            if meter is None or interaction.status is not InteractionStatus.SUSPENDED:
                continue
            after = _rejudged(interaction, meter, twins.get(meter.grid_id or 0), now)
            # Behind a fence a top-up stays where it is; the next run looks again [MET-117].
            if after is not interaction and not (_is_ready(after) and _is_held_back(after, clears)):
                changed[after.id] = after
        await tx.interactions.save(list(changed.values()))
        ready = [
            (interaction, meters[interaction.meter_id]) for interaction in changed.values() if _is_ready(interaction)
        ]
        changed |= {interaction.id: interaction for interaction in await hand_over(tx, ready, now)}
        await self._tell(tx, list(changed.values()), meters, now)
        return list(changed.values())

    async def _tell(
        self, tx: MetersTransaction, changed: Sequence[Interaction], meters: Mapping[int, Meter], now: datetime
    ) -> None:
        looks = [read for read in changed if read.origin is Origin.VERIFICATION and read.status.is_final]
        verdicts = await judge_top_ups(tx, looks, meters, now)
        told = (*changed, *verdicts)
        news = (socket_event(Operation.UPDATE, interaction, meters[interaction.meter_id]) for interaction in told)
        await tx.outbox.add([task for task in news if task is not None])
        await tx.state_events.add(
            [
                event_of(StateEventKind.EXPIRED, Actor.SYSTEM, interaction, meters[interaction.meter_id])
                for interaction in changed
                if interaction.resolution is Resolution.EXPIRED
            ]
        )


def _with_top_ups(page: Sequence[Interaction]) -> Collection[int]:
    return {interaction.meter_id for interaction in page if interaction.type is InteractionType.TOP_UP}


def _is_held_back(interaction: Interaction, clears: Sequence[Interaction]) -> bool:
    return interaction.type is InteractionType.TOP_UP and is_fenced(interaction, clears)


def _is_ready(interaction: Interaction) -> bool:
    """A paid top-up without token is handed over by its own task, once the token is made."""
    has_what_it_needs = interaction.type not in TOKENS or interaction.token is not None
    return interaction.status is InteractionStatus.QUEUED and has_what_it_needs


def _rejudged(interaction: Interaction, meter: Meter, twin: GridTwin | None, now: datetime) -> Interaction:
    if interaction.expires_at is not None and interaction.expires_at <= now:
        return _aborted(interaction, Resolution.EXPIRED, expired_record(interaction, now), now)
    why = Circumstances(
        from_grid_state_transition=True, from_commissioning=interaction.meter_commissioning_id is not None
    )
    verdict = judge(interaction.type, meter, twin, now, status=interaction.status, circumstances=why)
    if verdict.status is InteractionStatus.SUSPENDED:
        return _still_suspended(interaction, verdict, now)
    if verdict.status is InteractionStatus.ABORTED and verdict.resolution and verdict.failure:
        return _aborted(interaction, verdict.resolution, verdict.failure, now)
    records = () if verdict.failure is None else (verdict.failure,)
    return interaction.moved_to(
        verdict.status, delivery_failures=prepended(records, interaction.delivery_failures), updated_at=now
    )


def _still_suspended(interaction: Interaction, verdict: Verdict, now: datetime) -> Interaction:
    newest = interaction.delivery_failures[0].code if interaction.delivery_failures else None
    if verdict.failure is None or verdict.failure.code == newest:
        return interaction
    return attrs.evolve(
        interaction, delivery_failures=prepended([verdict.failure], interaction.delivery_failures), updated_at=now
    )


def _aborted(interaction: Interaction, why: Resolution, record: InteractionFailure, now: datetime) -> Interaction:
    return interaction.moved_to(
        InteractionStatus.ABORTED,
        resolution=why,
        delivery_failures=prepended([record], interaction.delivery_failures),
        updated_at=now,
    )


def _add(total: Released, changed: Sequence[Interaction], considered: int) -> Released:
    queued = sum(interaction.status is InteractionStatus.QUEUED for interaction in changed)
    aborted = sum(interaction.status is InteractionStatus.ABORTED for interaction in changed)
    return Released(
        queued=total.queued + queued,
        suspended=total.suspended + considered - queued - aborted,
        aborted=total.aborted + aborted,
    )
