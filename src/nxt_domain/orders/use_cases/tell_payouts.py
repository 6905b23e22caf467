"""Tells finance people of the month's new statements, by e-mail [PAY-164]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nxt_domain.orders.mails import Mails, MailType, Report
from nxt_domain.orders.payouts import GENERATION
from nxt_domain.shared.job_units import BegunUnit, JobUnits
from nxt_domain.shared.json import JsonObject
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory


class TellTransaction(UnitOfWork, Protocol):
    """One transaction over mails and what was told already."""

    @property
    def mails(self) -> Mails:
        """Mails."""

    @property
    def job_units(self) -> JobUnits:
        """What was drafted, and told."""


class TellPayouts:
    """Stores one mail for each reader about all statements that nobody was told of yet.

    A statement is told of in the transaction that notes so. Who crashes between drafting and telling leaves the
    telling to the next run.

    Args:
        begin: Opens a transaction.
        platform_organization_id: Whose finance people are told.
        dashboard_url: Where links lead; None: there are none.
    """

    def __init__(
        self,
        *,
        begin: UnitOfWorkFactory[TellTransaction],
        platform_organization_id: int,
        dashboard_url: str | None,
    ) -> None:
        self._begin = begin
        self._platform_organization_id = platform_organization_id
        self._dashboard_url = dashboard_url

    async def __call__(self) -> int:
        """Tell of what is new; return of how many statements. Without any, nobody hears anything."""
        async with self._begin() as tx:
            new = await tx.job_units.begun(GENERATION)
            if not new:
                return 0
            await tx.mails.add(self._report(new), await tx.mails.finance_of(self._platform_organization_id))
            for unit in new:  # a handful of grids, once a month
                await tx.job_units.finish(unit.key)
            await tx.commit()
        return len(new)

    def _report(self, new: Sequence[BegunUnit]) -> Report:
        payouts = [self._line(unit.result) for unit in new]
        return Report(
            type=MailType.PAYOUTS,
            subject="Payout report",
            organization_id=self._platform_organization_id,
            key=f"{GENERATION}:payout:{new[0].result['payout_id']}",
            parameters={"payouts": payouts},
        )

    def _line(self, drafted: JsonObject) -> JsonObject:
        grid_id, payout_id, url = drafted["grid_id"], drafted["payout_id"], self._dashboard_url
        link = None if url is None else f"{url.rstrip('/')}/grid/{grid_id}/financials/payouts/{payout_id}"
        return {"id": payout_id, "grid_id": grid_id, "grid_name": drafted["grid_name"], "link": link}
