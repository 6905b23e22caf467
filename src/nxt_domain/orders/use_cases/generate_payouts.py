"""Each month's statements, by themselves [PAY-162]."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

from nxt_domain.orders.payouts import Period, month_before
from nxt_domain.orders.use_cases.make_payout import DraftPayout, PayoutTransaction
from nxt_domain.shared.alerts import alert
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import DomainError
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory

_FIRST_HOUR = 5
_TRIED_FOR = timedelta(hours=24)


@attrs.frozen(kw_only=True)
class Generated:
    """What a run did."""

    drafted: int = 0
    failed: int = 0


class GeneratePayouts:
    """Drafts what is missing of the last month, grid by grid; hourly for a day, so that what failed is tried again.

    Args:
        begin: Opens a transaction.
        draft: Works one statement out.
        clock: Present time.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[PayoutTransaction], draft: DraftPayout, clock: Clock) -> None:
        self._begin = begin
        self._draft = draft
        self._clock = clock

    async def __call__(self) -> Generated:
        """Draft the missing statements. One that fails alerts, and holds up no other."""
        now = self._clock.now()
        if not _is_time(now):
            return Generated()
        drafted, failed = 0, 0
        for grid_id, period in (await self._missing(now)).items():
            try:
                await self._draft(grid_id, period.start, period.end, is_booked=True)
                drafted += 1
            except DomainError as error:
                failed += 1
                await self._tell(grid_id, period, error, now)
        return Generated(drafted=drafted, failed=failed)

    async def _missing(self, now: datetime) -> dict[int, Period]:
        async with self._begin() as tx:
            grids = await tx.payouts.automatic_grids()
            periods = {grid.id: month_before(now, grid.timezone) for grid in grids}
            have = await tx.payouts.have_statement(periods)
        return {grid_id: period for grid_id, period in periods.items() if grid_id not in have}

    async def _tell(self, grid_id: int, period: Period, error: DomainError, now: datetime) -> None:
        facts = {"grid_id": grid_id, "start": period.start.isoformat(), "reason": str(error)}
        async with self._begin() as tx:
            text = "a grid's monthly statement could not be drafted"
            await tx.outbox.add([alert("PAYOUT_NOT_DRAFTED", f"grid:{grid_id}", text, at=now, facts=facts)])
            await tx.commit()


def _is_time(now: datetime) -> bool:
    begin = now.replace(day=1, hour=_FIRST_HOUR, minute=0, second=0, microsecond=0)
    return begin <= now < begin + _TRIED_FOR
