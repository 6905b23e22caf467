"""Each week, what their grids brought in, to the finance people of organizations [PAY-174 … PAY-179]."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import attrs

from nxt_domain.orders.mails import Mails, MailType, Report
from nxt_domain.orders.revenue_report import (
    OLDEST_ISSUES,
    SPENDERS,
    AgentFigures,
    CommercialIssue,
    Figures,
    GridRevenue,
    ReportGrid,
    Spender,
    Windows,
    report_of,
    windows_of,
)
from nxt_domain.shared.alerts import alert
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.job_units import JobUnit, JobUnits
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory

JOB = "revenue-report"


class RevenueFigures(Protocol):
    """Reads what reports are made of; each call is one statement, whatever the number of grids."""

    async def organizations(self, also: Collection[int]) -> Sequence[int]:
        """List live organizations that get the report.

        Args:
            also: Get it too, by configuration.
        """

    async def grids(self, organization_id: int) -> Sequence[ReportGrid]:
        """List an organization's live, reported grids by id."""

    async def revenue(self, windows: Sequence[Windows]) -> Mapping[int, GridRevenue]:
        """Add up energy sold (PAY 16.1), by grid."""

    async def agents(self, windows: Sequence[Windows]) -> Sequence[AgentFigures]:
        """Add up what agents of these grids sold, by name; deleted accounts are left out [PAY-177]."""

    async def top_spenders(self, windows: Sequence[Windows], limit: int) -> Sequence[Spender]:
        """Find for whom most was paid since the same point of last month, grid by grid (PAY 16.3)."""

    async def commercial_issues(
        self, grid_ids: Sequence[int], oldest: int
    ) -> tuple[Sequence[CommercialIssue], Mapping[int, int]]:
        """Find the oldest open issues of each grid's meters that bring nothing in, and how many there are."""


class ReportTransaction(UnitOfWork, Protocol):
    """One transaction over figures, mails and what was reported already."""

    @property
    def revenue_figures(self) -> RevenueFigures:
        """Figures."""

    @property
    def mails(self) -> Mails:
        """Mails."""

    @property
    def job_units(self) -> JobUnits:
        """What was reported already."""


@attrs.frozen(kw_only=True)
class Reported:
    """What a run did, in organizations.

    Attributes:
        skipped: Had their report of this week already, or no grid.
    """

    reported: int = 0
    skipped: int = 0
    failed: int = 0


class ReportRevenue:
    """Reports organization by organization, each once a week, however often it runs; one that fails stops no other.

    Args:
        begin: Opens a transaction.
        clock: Present time.
        dashboard_url: Where links lead; None: there are none.
        organization_ids: Get the report besides those that are marked.
    """

    def __init__(
        self,
        *,
        begin: UnitOfWorkFactory[ReportTransaction],
        clock: Clock,
        dashboard_url: str | None,
        organization_ids: Collection[int] = (),
    ) -> None:
        self._begin = begin
        self._clock = clock
        self._dashboard_url = dashboard_url
        self._organization_ids = organization_ids

    async def __call__(self) -> Reported:
        """Report this week's figures."""
        now = self._clock.now()
        async with self._begin() as tx:
            organizations = await tx.revenue_figures.organizations(self._organization_ids)
        reported, failed = 0, 0
        for organization_id in organizations:
            try:
                reported += await self._report(organization_id, now)
            except Exception as error:  # noqa: BLE001 - whatever it is, the other organizations get theirs [PAY-174]
                failed += 1
                await self._tell(organization_id, error, now)
        return Reported(reported=reported, skipped=len(organizations) - reported - failed, failed=failed)

    async def _report(self, organization_id: int, now: datetime) -> bool:
        """Store one report with its mails; False: there is nothing to tell, or it was told."""
        unit = _unit(organization_id, now)
        async with self._begin() as tx:
            if not await tx.job_units.finish(unit):
                return False
            figures = await self._figures(tx.revenue_figures, organization_id, now)
            if figures is None:
                return False
            report = Report(
                type=MailType.REVENUE,
                subject="Revenue report",
                organization_id=organization_id,
                key=f"{JOB}:{unit.period}:{unit.unit}",
                parameters=report_of(figures, now, self._dashboard_url),
            )
            await tx.mails.add(report, await tx.mails.finance_of(organization_id))
            await tx.commit()
        return True

    async def _figures(self, of: RevenueFigures, organization_id: int, now: datetime) -> Figures | None:
        grids = await of.grids(organization_id)
        if not grids:
            return None
        windows = [windows_of(grid, now) for grid in grids]
        issues, counts = await of.commercial_issues([grid.id for grid in grids], OLDEST_ISSUES)
        return Figures(
            grids=grids,
            revenue=await of.revenue(windows),
            agents=await of.agents(windows),
            spenders=await of.top_spenders(windows, SPENDERS),
            issues=issues,
            issue_counts=counts,
        )

    async def _tell(self, organization_id: int, error: Exception, now: datetime) -> None:
        text, reason = "an organization's revenue report could not be made", f"{type(error).__name__}: {error}"
        facts = {"organization_id": organization_id, "reason": reason}
        async with self._begin() as tx:
            await tx.job_units.fail(_unit(organization_id, now), reason)
            subject = f"organization:{organization_id}"
            await tx.outbox.add([alert("REVENUE_NOT_REPORTED", subject, text, at=now, facts=facts)])
            await tx.commit()


def _unit(organization_id: int, now: datetime) -> JobUnit:
    year, week, _ = now.isocalendar()
    return JobUnit(job=JOB, period=f"{year}-W{week:02}", unit=f"organization:{organization_id}")
