"""Drafting a grid's statement, and following it to the bank transfer [PAY-146 … PAY-149, PAY-165, PAY-166]."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

import attrs

from nxt_domain.identity.model import Principal
from nxt_domain.identity.rules import actor_of
from nxt_domain.orders.authority import require_platform_finance
from nxt_domain.orders.payouts import (
    AutomaticGrid,
    Payout,
    PayoutGrid,
    Period,
    PeriodRevenue,
    PlantRecords,
    bookkeeping_task,
    details_of,
    draft_task,
    figures_of,
    inputs_of,
    period_of,
    unit_of,
    warnings_of,
)
from nxt_domain.shared.audit import Act, AuditedTransaction, Subjects
from nxt_domain.shared.errors import Conflict, InvalidInput, NotFound, Unprocessable
from nxt_domain.shared.job_units import JobUnits
from nxt_domain.shared.json import JsonObject
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory
from nxt_domain.shared.wakeups import Channel, WakeUps
from nxt_domain.wallets.model import Entry, EntryType, Posting
from nxt_domain.wallets.payouts import PayoutStatus, accrual_entry, check_step, compute, disbursement_entry
from nxt_domain.wallets.ports import Ledger


class Payouts(Protocol):
    """Statements, and what the relational plane says of their periods."""

    async def grid(self, grid_id: int) -> PayoutGrid | None:
        """Find a live grid."""

    async def automatic_grids(self) -> Sequence[AutomaticGrid]:
        """List live, reported grids whose statements are drafted by themselves."""

    async def have_statement(self, periods: Mapping[int, Period]) -> Collection[int]:
        """Tell which grids have a statement of their period that has not failed.

        Args:
            periods: By grid.
        """

    async def revenue(self, grid: PayoutGrid, period: Period) -> PeriodRevenue:
        """Add up what came in, by the orders' time of creation (PAY 16.1, 16.2)."""

    async def lock_period(self, grid_id: int, period: Period) -> Payout | None:
        """Find the one statement of a grid and period that has not failed, and lock it; None: there is none."""

    async def add(
        self, grid_id: int, period: Period, *, proposed_amount: Decimal, details: Mapping[str, object]
    ) -> Payout:
        """Store a new statement, waiting for approval; its id becomes part of its details.

        Raises:
            Conflict: Somebody else was first with this grid and period.
        """

    async def lock(self, payout_id: int) -> Payout | None:
        """Load a statement and lock its row."""

    async def save(self, payout: Payout) -> int:
        """Write a statement, and return how often its figures were computed, this time included."""


class PlantHistory(Protocol):
    """Reads what plants did from the series (telemetry 18.1 to 18.3)."""

    async def exchange_rate(self, day_start: datetime) -> Decimal | None:
        """Return the naira for a dollar of the local day that begins then; None: not known [TEL-196]."""

    async def records(
        self, grid_id: int, days: Sequence[tuple[date, datetime, datetime]], rate_day: datetime
    ) -> PlantRecords:
        """Read battery modules and active controllers of local days, and the exchange rate [TEL-194, TEL-195].

        Args:
            grid_id: Of the plant.
            days: Each with its begin and end, aware.
            rate_day: Start of the local day whose exchange rate counts.

        Raises:
            Unavailable: The series store can't be reached.
        """


class PayoutTransaction(UnitOfWork, AuditedTransaction, Protocol):
    """One transaction over statements and the ledger."""

    @property
    def payouts(self) -> Payouts:
        """Statements."""

    @property
    def ledger(self) -> Ledger:
        """The ledger."""

    @property
    def job_units(self) -> JobUnits:
        """What the monthly job has done."""


class DraftPayout:
    """Works a statement out and stores it; a repeat while it waits for approval works it out anew.

    Args:
        begin: Opens a transaction.
        plants: What plants did.
        wake_ups: Wakes the relay.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[PayoutTransaction], plants: PlantHistory, wake_ups: WakeUps) -> None:
        self._begin = begin
        self._plants = plants
        self._wake_ups = wake_ups

    async def __call__(
        self, grid_id: int, date_from: datetime, date_to: datetime, *, is_monthly: bool = False
    ) -> Payout:
        """Draft the statement of a half-open period.

        Args:
            grid_id: Of the grid.
            date_from: Its begin.
            date_to: Its end.
            is_monthly: Whether the monthly job drafts it: then the bookkeepers and finance hear of it too [PAY-163,
                PAY-164].

        Raises:
            InvalidInput: The period is shorter than a day.
            NotFound: There is no such grid.
            PayoutNotComputable: A figure is missing.
            Conflict: The period's statement is approved already.
            Unavailable: A store can't be reached.
        """
        period = period_of(date_from, date_to)
        async with self._begin() as tx:
            grid = await tx.payouts.grid(grid_id)
        if grid is None:
            raise NotFound(f"Could draft report for unknown grid with id {grid_id}", code="GRID_UNKNOWN")
        plant = await self._plants.records(grid.id, period.days(grid.timezone), period.rate_day(grid.timezone))
        async with self._begin() as tx:
            payout, revision = await self._store(tx, grid, period, plant)
            await tx.outbox.add([draft_task(payout, revision), *([bookkeeping_task(payout)] if is_monthly else [])])
            if is_monthly:
                drafted: JsonObject = {"payout_id": payout.id, "grid_id": grid.id, "grid_name": grid.name}
                await tx.job_units.begin(unit_of(grid.id, period, grid.timezone), drafted)
            await tx.commit()
        self._wake_ups.hint(Channel.OUTBOX)
        return payout

    async def _store(
        self, tx: PayoutTransaction, grid: PayoutGrid, period: Period, plant: PlantRecords
    ) -> tuple[Payout, int]:
        known = await tx.payouts.lock_period(grid.id, period)
        if known is not None and known.status is not PayoutStatus.WAITING_FOR_APPROVAL:
            raise Conflict(f"Payout {known.id} of this grid and period is {known.status}", code="PAYOUT_STATE")
        revenue = await tx.payouts.revenue(grid, period)
        inputs = inputs_of(grid, period, revenue, plant)
        figures = compute(inputs)
        details = dict(details_of(grid, period, revenue, inputs, figures))
        warnings = warnings_of(grid, revenue, plant)
        if warnings:
            details["warnings"] = list(warnings)
        if known is None:
            added = await tx.payouts.add(grid.id, period, proposed_amount=figures.payout, details=details)
            return added, 1
        anew = attrs.evolve(known, proposed_amount=figures.payout, details={**details, "payout_id": known.id})
        return anew, await tx.payouts.save(anew)


@attrs.frozen(kw_only=True)
class PayoutChange:
    """What a caller wants changed; None: stays."""

    draft_link: str | None = None
    status: PayoutStatus | None = None
    approved_amount: Decimal | None = None
    external_reference: str | None = None


class ChangePayout:
    """Stores a draft's link, approves, and notes the bank transfer; the ledger follows in the same transaction.

    Args:
        begin: Opens a transaction.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[PayoutTransaction]) -> None:
        self._begin = begin

    async def __call__(self, caller: Principal, payout_id: int, change: PayoutChange) -> Payout:
        """Apply a change.

        Raises:
            NotFound: There is no such statement.
            Forbidden: Only finance staff of the platform approves.
            Conflict: That is no step from where it stands.
            InvalidInput: The transfer's reference is missing.
            Unprocessable: A negative amount can't be approved.
        """
        async with self._begin() as tx:
            payout = await tx.payouts.lock(payout_id)
            if payout is None:
                raise NotFound(f"Could not find payout with id {payout_id}", code="PAYOUT_UNKNOWN")
            after = _with_texts(payout, change)
            if change.status is not None and change.status is not payout.status:
                after = await self._step(tx, caller, after, change)
            if after != payout:
                await tx.payouts.save(after)
                await tx.audit.record(_act(caller, payout, after))
            await tx.commit()
        return after

    async def _step(self, tx: PayoutTransaction, caller: Principal, payout: Payout, change: PayoutChange) -> Payout:
        wanted = change.status or payout.status
        check_step(payout.id, payout.status, wanted)
        match wanted:
            case PayoutStatus.PROCESSING:
                require_platform_finance(caller)
                return await self._approve(tx, caller, payout, change.approved_amount)
            case PayoutStatus.SUCCESSFUL:
                return await self._disburse(tx, caller, payout)
            case PayoutStatus.FAILED if payout.status is PayoutStatus.PROCESSING:
                await self._take_back(tx, caller, payout)
        return attrs.evolve(payout, status=wanted)

    async def _approve(
        self, tx: PayoutTransaction, caller: Principal, payout: Payout, approved: Decimal | None
    ) -> Payout:
        amount = payout.proposed_amount if approved is None else approved
        if amount < 0:
            raise Unprocessable("A payout below zero can't be approved", code="PAYOUT_NEGATIVE")
        grid = await self._grid(tx, payout)
        entry = accrual_entry(
            figures_of(payout.details),
            payout_id=payout.id,
            grid_id=grid.id,
            organization_id=grid.organization_id,
            approved=amount,
            author_id=caller.account_id,
        )
        await tx.ledger.post([entry] if len(entry.postings) > 1 else [])
        return attrs.evolve(
            payout,
            status=PayoutStatus.PROCESSING,
            approved_amount=amount,
            approved_by_account_id=caller.account_id,
        )

    async def _disburse(self, tx: PayoutTransaction, caller: Principal, payout: Payout) -> Payout:
        if not payout.external_reference:
            raise InvalidInput("external_reference of the bank transfer is required", code="REFERENCE_MISSING")
        grid = await self._grid(tx, payout)
        if payout.approved_amount:
            entry = disbursement_entry(
                payout_id=payout.id,
                organization_id=grid.organization_id,
                approved=payout.approved_amount,
                author_id=caller.account_id,
            )
            await tx.ledger.post([entry])
        return attrs.evolve(payout, status=PayoutStatus.SUCCESSFUL)

    async def _take_back(self, tx: PayoutTransaction, caller: Principal, payout: Payout) -> None:
        """Reverse the accrual of a statement that came to nothing [PAY-149]."""
        key = f"payout:{payout.id}:accrue"
        accrued = (await tx.ledger.find([key])).get(key)
        if accrued is None:
            return
        reversal = Entry(
            key=f"payout:{payout.id}:reverse-accrual",
            entry_type=EntryType.ADJUSTMENT,
            payout_id=payout.id,
            reverses_entry_id=accrued.id,
            author_account_id=caller.account_id,
            memo="the payout failed",
            postings=[Posting(leg.account, -leg.amount) for leg in accrued.postings],
        )
        await tx.ledger.post([reversal])

    async def _grid(self, tx: PayoutTransaction, payout: Payout) -> PayoutGrid:
        grid = await tx.payouts.grid(payout.grid_id)
        if grid is None:
            raise Conflict(f"The grid of payout {payout.id} is deleted", code="GRID_UNKNOWN")
        return grid


def _with_texts(payout: Payout, change: PayoutChange) -> Payout:
    return attrs.evolve(
        payout,
        draft_link=payout.draft_link if change.draft_link is None else change.draft_link,
        external_reference=change.external_reference or payout.external_reference,
    )


def _act(caller: Principal, before: Payout, after: Payout) -> Act:
    told = ("status", "approved_amount", "external_reference", "draft_link")
    changed = [name for name in told if getattr(before, name) != getattr(after, name)]
    return Act(
        actor=actor_of(caller),
        action="payout.update",
        entity_type="payout",
        entity_id=after.id,
        about=Subjects(grid_id=after.grid_id),
        before={name: getattr(before, name) for name in changed},
        after={name: getattr(after, name) for name in changed},
    )
