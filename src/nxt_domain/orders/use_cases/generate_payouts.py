"""Each month's statements, by themselves [PAY-162]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs

from nxt_domain.orders.payouts import AutomaticGrid, Period, month_before, unit_of
from nxt_domain.orders.use_cases.make_payout import DraftPayout, PayoutTransaction
from nxt_domain.orders.use_cases.tell_payouts import TellPayouts
from nxt_domain.shared.alerts import alert
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import DomainError
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory

_FIRST_HOUR = 5
_TRIED_FOR = timedelta(hours=24)


@attrs.frozen(kw_only=True)
class Generated:
    """What a run did.

    Attributes:
        told: Statements that finance was told of.
    """

    drafted: int = 0
    failed: int = 0
    told: int = 0


class GeneratePayouts:
    """Drafts what is missing of the last month, grid by grid; hourly for a day, so that what failed is tried again.

    Args:
        begin: Opens a transaction.
        draft: Works one statement out.
        tell: Tells finance of what is new.
        clock: Present time.
    """

    def __init__(
        self, *, begin: UnitOfWorkFactory[PayoutTransaction], draft: DraftPayout, tell: TellPayouts, clock: Clock
    ) -> None:
        self._begin = begin
        self._draft = draft
        self._tell_finance = tell
        self._clock = clock

    async def __call__(self) -> Generated:
        """Draft the missing statements, and tell of them. One that fails alerts, and holds up no other."""
        now = self._clock.now()
        drafted, failed = 0, 0
        for grid, period in await self._missing(now) if _is_time(now) else []:
            try:
                await self._draft(grid.id, period.start, period.end, is_monthly=True)
                drafted += 1
            except DomainError as error:
                failed += 1
                await self._tell(grid, period, error, now)
        return Generated(drafted=drafted, failed=failed, told=await self._tell_finance())

    async def _missing(self, now: datetime) -> Sequence[tuple[AutomaticGrid, Period]]:
        async with self._begin() as tx:
            grids = await tx.payouts.automatic_grids()
            periods = {grid.id: month_before(now, grid.timezone) for grid in grids}
            have = await tx.payouts.have_statement(periods)
            # One that was drafted and then given up is for people to draft again [REL-169].
            units = {unit_of(grid.id, periods[grid.id], grid.timezone): grid.id for grid in grids}
            done = {units[unit] for unit in await tx.job_units.done(units)}
        return [(grid, periods[grid.id]) for grid in grids if grid.id not in have and grid.id not in done]

    async def _tell(self, grid: AutomaticGrid, period: Period, error: DomainError, now: datetime) -> None:
        facts = {"grid_id": grid.id, "start": period.start.isoformat(), "reason": str(error)}
        async with self._begin() as tx:
            text = "a grid's monthly statement could not be drafted"
            await tx.job_units.fail(unit_of(grid.id, period, grid.timezone), str(error))
            await tx.outbox.add([alert("PAYOUT_NOT_DRAFTED", f"grid:{grid.id}", text, at=now, facts=facts)])
            await tx.commit()


def _is_time(now: datetime) -> bool:
    begin = now.replace(day=1, hour=_FIRST_HOUR, minute=0, second=0, microsecond=0)
    return begin <= now < begin + _TRIED_FOR
