"""What came in, and the mails about it, in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_domain.orders.mails import Reader, Report
from nxt_domain.orders.revenue_report import AgentFigures, CommercialIssue, GridRevenue, ReportGrid, Spender, Windows

_ZERO = Decimal(0)


@attrs.frozen(kw_only=True)
class Sale:
    """Energy that was sold and not taken back."""

    grid_id: int
    amount: Decimal
    created_at: datetime
    customer_id: int | None = None
    agent_id: int | None = None


@attrs.frozen(kw_only=True)
class KnownAgent:
    """A sales agent with a live account."""

    id: int
    grid_id: int
    full_name: str | None
    balance: Decimal = _ZERO


class MemoryRevenueFigures:
    """Implements ``RevenueFigures``.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._grids: dict[int, tuple[int, ReportGrid]] = database.table("report_grids")
        self._marked: dict[int, bool] = database.table("report_organizations")
        self._sales: dict[int, Sale] = database.table("report_sales")
        self._agents: dict[int, KnownAgent] = database.table("report_agents")
        self._issues: dict[int, CommercialIssue] = database.table("report_issues")
        self._names: dict[int, str] = database.table("report_customers")

    def know(self, organization_id: int, *grids: ReportGrid, is_marked: bool = True) -> None:
        """Set up an organization with its reported grids."""
        self._marked[organization_id] = is_marked
        self._grids.update({grid.id: (organization_id, grid) for grid in grids})

    def sell(self, *sales: Sale) -> None:
        """Add sales."""
        self._sales.update({len(self._sales) + place: sale for place, sale in enumerate(sales)})

    def know_agent(self, agent: KnownAgent) -> None:
        """Set up an agent."""
        self._agents[agent.id] = agent

    def know_customer(self, customer_id: int, full_name: str) -> None:
        """Name a customer."""
        self._names[customer_id] = full_name

    def open_issue(self, issue: CommercialIssue) -> None:
        """Add an open issue."""
        self._issues[len(self._issues)] = issue

    async def organizations(self, also: Collection[int]) -> Sequence[int]:
        """See ``RevenueFigures.organizations``."""
        return sorted(key for key, is_marked in self._marked.items() if is_marked or key in also)

    async def grids(self, organization_id: int) -> Sequence[ReportGrid]:
        """See ``RevenueFigures.grids``."""
        return [grid for _, (owner, grid) in sorted(self._grids.items()) if owner == organization_id]

    async def revenue(self, windows: Sequence[Windows]) -> Mapping[int, GridRevenue]:
        """See ``RevenueFigures.revenue``."""
        return {
            window.grid_id: GridRevenue(
                this_month=self._sum(window.grid_id, window.month, window.now),
                last_month_at_this_point=self._sum(window.grid_id, window.last_month, window.same_point),
                last_month_total=self._sum(window.grid_id, window.last_month, window.month),
            )
            for window in windows
        }

    async def agents(self, windows: Sequence[Windows]) -> Sequence[AgentFigures]:
        """See ``RevenueFigures.agents``."""
        found = [
            self._agent(agent, window)
            for window in windows
            for agent in self._agents.values()
            if agent.grid_id == window.grid_id
        ]
        return sorted(found, key=lambda agent: (agent.full_name or "", agent.id))

    async def top_spenders(self, windows: Sequence[Windows], limit: int) -> Sequence[Spender]:
        """See ``RevenueFigures.top_spenders``."""
        found: list[Spender] = []
        for window in windows:
            spent: dict[int, Decimal] = {}
            for sale in self._within(window.grid_id, window.same_point, window.now):
                if sale.customer_id is not None:
                    spent[sale.customer_id] = spent.get(sale.customer_id, _ZERO) + sale.amount
            largest = sorted(spent.items(), key=lambda one: (-one[1], one[0]))[:limit]
            found += [Spender(id=key, full_name=self._names.get(key), amount=amount) for key, amount in largest]
        return found

    async def commercial_issues(
        self, grid_ids: Sequence[int], oldest: int
    ) -> tuple[Sequence[CommercialIssue], Mapping[int, int]]:
        """See ``RevenueFigures.commercial_issues``."""
        by_age = sorted(self._issues.values(), key=lambda issue: (issue.started_at is None, issue.started_at))
        mine = {key: [issue for issue in by_age if issue.grid_id == key] for key in grid_ids}
        shown = [issue for issue in by_age if issue in mine.get(issue.grid_id, [])[:oldest]]
        return shown, {key: len(issues) for key, issues in mine.items() if issues}

    def _agent(self, agent: KnownAgent, window: Windows) -> AgentFigures:
        within = (window.last_month, window.now)
        sold = [sale for sale in self._within(agent.grid_id, *within) if sale.agent_id == agent.id]
        this_month = [sale.amount for sale in sold if sale.created_at >= window.month]
        return AgentFigures(
            id=agent.id,
            full_name=agent.full_name,
            grid_id=agent.grid_id,
            balance=agent.balance,
            topups_this_month=len(this_month),
            revenue_this_month=sum(this_month, _ZERO),
            revenue_last_month_total=sum((s.amount for s in sold if s.created_at < window.month), _ZERO),
        )

    def _within(self, grid_id: int, start: datetime, end: datetime) -> Sequence[Sale]:
        return [sale for sale in self._sales.values() if sale.grid_id == grid_id and start <= sale.created_at < end]

    def _sum(self, grid_id: int, start: datetime, end: datetime) -> Decimal:
        return sum((sale.amount for sale in self._within(grid_id, start, end)), _ZERO)


class MemoryMails:
    """Implements ``Mails``.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._readers: dict[int, tuple[int, Reader]] = database.table("finance_readers")
        self._mails: dict[str, tuple[Report, Reader]] = database.table("mails")

    def know_reader(self, organization_id: int, reader: Reader) -> None:
        """Set up a finance member."""
        self._readers[reader.account_id] = (organization_id, reader)

    @property
    def stored(self) -> Sequence[tuple[Report, Reader]]:
        """What waits to be sent, oldest first."""
        return list(self._mails.values())

    async def finance_of(self, organization_id: int) -> Sequence[Reader]:
        """See ``Mails.finance_of``."""
        return [reader for _, (owner, reader) in sorted(self._readers.items()) if owner == organization_id]

    async def add(self, report: Report, readers: Sequence[Reader]) -> None:
        """See ``Mails.add``."""
        for reader in readers:
            self._mails.setdefault(f"{report.key}:{reader.account_id}", (report, reader))
