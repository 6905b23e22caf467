"""Reads that nobody waits for any longer are withdrawn [MET 6.5]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from nxt_domain.messaging.model import CancelResult
from nxt_domain.meters.failures import expired_record, prepended
from nxt_domain.meters.model import (
    Interaction,
    InteractionStatus,
    Origin,
    Resolution,
)
from nxt_domain.meters.news import Operation, socket_event
from nxt_domain.meters.ports import MetersTransaction
from nxt_domain.meters.use_cases.judge_top_ups import judge_top_ups
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory

_BATCH = 200
_WAITING = {InteractionStatus.QUEUED, InteractionStatus.SUSPENDED}


class ExpireInteractions:
    """Aborts waiting interactions past their ``expires_at``; one on its way runs its course.

    Args:
        begin: Opens a transaction.
        clock: Tells the time.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[MetersTransaction], clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self) -> int:
        """Withdraw one batch and return how many ended."""
        now = self._clock.now()
        async with self._begin() as tx:
            candidates = await tx.interactions.expired(now, limit=_BATCH)
            ended = await self._withdraw(tx, candidates, now)
            await tx.commit()
        return ended

    async def _withdraw(self, tx: MetersTransaction, candidates: Sequence[Interaction], now: datetime) -> int:
        meters = await tx.meters.lock({interaction.meter_id for interaction in candidates})
        locked = await tx.interactions.lock([interaction.id for interaction in candidates])
        waiting = [interaction for interaction in locked.values() if interaction.status in _WAITING]
        results = await tx.messages.cancel([str(interaction.id) for interaction in waiting])
        ended = [_expired(interaction, now) for interaction in waiting if _is_withdrawn(interaction, results)]
        await tx.interactions.save(ended)
        verdicts = await judge_top_ups(tx, [i for i in ended if i.origin is Origin.VERIFICATION], meters, now)
        told = [interaction for interaction in (*ended, *verdicts) if interaction.meter_id in meters]
        news = (socket_event(Operation.UPDATE, interaction, meters[interaction.meter_id]) for interaction in told)
        await tx.outbox.add([task for task in news if task is not None])
        return len(ended)


def _is_withdrawn(interaction: Interaction, results: Mapping[str, CancelResult]) -> bool:
    return results.get(str(interaction.id)) is not CancelResult.NOT_CANCELLABLE


def _expired(interaction: Interaction, now: datetime) -> Interaction:
    return interaction.moved_to(
        InteractionStatus.ABORTED,
        resolution=Resolution.EXPIRED,
        delivery_failures=prepended([expired_record(interaction, now)], interaction.delivery_failures),
        updated_at=now,
    )
