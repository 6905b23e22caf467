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
from nxt_domain.meters.state_events import Actor, StateEventKind, event_of
from nxt_domain.meters.use_cases.judge_top_ups import judge_top_ups
from nxt_domain.meters.withdrawals import is_withdrawn
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory

_PAGE = 200


class ExpireInteractions:
    """Aborts interactions past their ``expires_at``; one whose message is on its way runs its course.

    Args:
        begin: Opens a transaction.
        clock: Tells the time.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[MetersTransaction], clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self) -> int:
        """Withdraw all there are, a page in each transaction, and return how many ended."""
        now, ended, after_id = self._clock.now(), 0, 0
        while True:
            async with self._begin() as tx:
                page = await tx.interactions.expired(now, after_id=after_id, limit=_PAGE)
                ended += await self._withdraw(tx, page, now)
                await tx.commit()
            if len(page) < _PAGE:
                return ended
            after_id = page[-1].id

    async def _withdraw(self, tx: MetersTransaction, page: Sequence[Interaction], now: datetime) -> int:
        meters = await tx.meters.lock({interaction.meter_id for interaction in page})
        locked = (await tx.interactions.lock([interaction.id for interaction in page])).values()
        unfinished = [interaction for interaction in locked if not interaction.status.is_final]
        results = await tx.messages.cancel([str(interaction.id) for interaction in unfinished])
        ended = [_expired(interaction, now) for interaction in unfinished if _is_withdrawn(interaction, results)]
        await tx.interactions.save(ended)
        verdicts = await judge_top_ups(tx, [i for i in ended if i.origin is Origin.VERIFICATION], meters, now)
        told = [interaction for interaction in (*ended, *verdicts) if interaction.meter_id in meters]
        news = (socket_event(Operation.UPDATE, interaction, meters[interaction.meter_id]) for interaction in told)
        await tx.outbox.add([task for task in news if task is not None])
        await tx.state_events.add(
            [event_of(StateEventKind.EXPIRED, Actor.SYSTEM, i, meters.get(i.meter_id)) for i in ended]
        )
        return len(ended)


def _is_withdrawn(interaction: Interaction, results: Mapping[str, CancelResult]) -> bool:
    return is_withdrawn(interaction, results.get(str(interaction.id), CancelResult.NOT_FOUND))


def _expired(interaction: Interaction, now: datetime) -> Interaction:
    return interaction.moved_to(
        InteractionStatus.ABORTED,
        resolution=Resolution.EXPIRED,
        delivery_failures=prepended([expired_record(interaction, now)], interaction.delivery_failures),
        updated_at=now,
    )
