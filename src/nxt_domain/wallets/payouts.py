"""The monthly statement of a grid: what its owner gets of the money collected (PAY 14). Pure; amounts in naira."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum

import attrs

from nxt_domain.shared.errors import Conflict
from nxt_domain.shared.money import Currency, plain, quotient, round_half_up
from nxt_domain.wallets.accounts import (
    DISBURSEMENTS,
    IncomeKind,
    clearing_account,
    developer_account,
    income_account,
)
from nxt_domain.wallets.model import Entry, EntryType, Posting

PLATFORM_FEE = Decimal("0.10")
INSURANCE_FEE = Decimal("0.02")
GATEWAY_FEE = Decimal("0.02")
_ZERO = Decimal(0)


@attrs.frozen(kw_only=True)
class Controller:
    """A charge controller in a period.

    Attributes:
        kw: Rated power, the latest in the period.
        active_days: Days on which its power rose above 30 % of that [PAY-153].
    """

    reference: str
    kw: Decimal
    active_days: int


@attrs.frozen(kw_only=True)
class BatteryDay:
    """Battery modules that were on, on a grid-local day; the highest count of the day [PAY-152]."""

    day: date
    modules: int


@attrs.frozen(kw_only=True)
class PayoutInputs:
    """Everything that a statement is computed from.

    Attributes:
        day_count: Whole days of the period, ≥ 1.
        energy_revenue: Top-ups of the period (PAY 16.1).
        connection_fee_revenue: Connection fees less refunds (PAY 16.2).
        own_revenue: Part of both that reached the owner directly, through their own merchant account [PAY-157].
        exchange_rate: Naira for a dollar, as stored; rounded to one decimal here [PAY-150].
        kwh_tariff: Dollars for a kWh of battery and month.
        kwp_tariff: Dollars for a kWp of panels and month.
        kwh_per_module: Size of a battery module, kWh.
        battery_days: One for each day of the period; days without a row count as zero.
        controllers: Those with a row in the period.
    """

    day_count: int
    energy_revenue: Decimal
    connection_fee_revenue: Decimal
    own_revenue: Decimal = _ZERO
    exchange_rate: Decimal
    kwh_tariff: Decimal
    kwp_tariff: Decimal
    kwh_per_module: Decimal
    battery_days: Sequence[BatteryDay]
    controllers: Sequence[Controller]


@attrs.frozen(kw_only=True)
class PayoutFigures:
    """A statement's figures.

    Attributes:
        exchange_rate: R, naira for a dollar, one decimal.
        kwh_rented: Mean battery capacity on, kWh.
        kwp_rented: Mean power of active controllers, kWp.
        payout: What the owner gets; may be negative.
    """

    energy_revenue: Decimal
    connection_fee_revenue: Decimal
    own_revenue: Decimal
    exchange_rate: Decimal
    kwh_rented: Decimal
    kwp_rented: Decimal
    kwh_rental: Decimal
    kwp_rental: Decimal
    platform_fee: Decimal
    insurance_fee: Decimal
    gateway_fee: Decimal
    payout: Decimal

    @property
    def total_revenue(self) -> Decimal:
        """All money of the period."""
        return self.energy_revenue + self.connection_fee_revenue

    @property
    def rental(self) -> Decimal:
        """What the plant costs."""
        return self.kwh_rental + self.kwp_rental


def compute(inputs: PayoutInputs) -> PayoutFigures:
    """Work a statement out [PAY-150 … PAY-157]. Every product is exact; each figure is rounded once."""
    rate = round_half_up(inputs.exchange_rate, 1)
    days = Decimal(inputs.day_count)
    kwh_days = sum((inputs.kwh_per_module * day.modules for day in inputs.battery_days), _ZERO)
    kwp_days = sum((controller.kw * controller.active_days for controller in inputs.controllers), _ZERO)
    kwh_rental = round_half_up(quotient(kwh_days * inputs.kwh_tariff * rate, days), 3)
    kwp_rental = round_half_up(quotient(kwp_days * inputs.kwp_tariff * rate, days), 3)
    total = inputs.energy_revenue + inputs.connection_fee_revenue
    platform_fee = PLATFORM_FEE * inputs.energy_revenue
    insurance_fee = INSURANCE_FEE * inputs.energy_revenue
    gateway_fee = GATEWAY_FEE * max(total - inputs.own_revenue, _ZERO)
    costs = kwh_rental + kwp_rental + platform_fee + insurance_fee + gateway_fee
    return PayoutFigures(
        energy_revenue=inputs.energy_revenue,
        connection_fee_revenue=inputs.connection_fee_revenue,
        own_revenue=inputs.own_revenue,
        exchange_rate=rate,
        kwh_rented=round_half_up(quotient(kwh_days, days), 3),
        kwp_rented=round_half_up(quotient(kwp_days, days), 3),
        kwh_rental=kwh_rental,
        kwp_rental=kwp_rental,
        platform_fee=platform_fee,
        insurance_fee=insurance_fee,
        gateway_fee=gateway_fee,
        payout=total - costs - inputs.own_revenue,
    )


class PayoutStatus(StrEnum):
    """Where a statement stands [PAY-149]."""

    INITIALISED = "INITIALISED"
    WAITING_FOR_APPROVAL = "WAITING_FOR_APPROVAL"
    PROCESSING = "PROCESSING"
    SUCCESSFUL = "SUCCESSFUL"
    FAILED = "FAILED"


_STEPS = {
    PayoutStatus.INITIALISED: {PayoutStatus.WAITING_FOR_APPROVAL, PayoutStatus.FAILED},
    PayoutStatus.WAITING_FOR_APPROVAL: {PayoutStatus.PROCESSING, PayoutStatus.FAILED},
    PayoutStatus.PROCESSING: {PayoutStatus.SUCCESSFUL, PayoutStatus.FAILED},
    PayoutStatus.SUCCESSFUL: set(),
    PayoutStatus.FAILED: set(),
}


def check_step(payout_id: int, present: PayoutStatus, wanted: PayoutStatus) -> None:
    """Let a statement go on only as PAY-149 says.

    Raises:
        Conflict: That is no step from here.
    """
    if wanted not in _STEPS[present]:
        raise Conflict(f"Payout {payout_id} is {present}, so it can't become {wanted}", code="PAYOUT_STATE")


def accrual_entry(
    figures: PayoutFigures, *, payout_id: int, grid_id: int, organization_id: int, approved: Decimal, author_id: int
) -> Entry:
    """Book what a statement comes to, when it is approved [PAY-165].

    Each share is rounded to the cent; what rounding leaves over has an account of its own.

    Args:
        figures: Of the statement.
        payout_id: The statement.
        grid_id: Its grid.
        organization_id: The owner.
        approved: What finance approved, which may differ from what was proposed.
        author_id: Who approved.
    """
    proposed = figures.payout
    shares = {
        clearing_account(grid_id): -(figures.total_revenue - figures.own_revenue),
        income_account(IncomeKind.RENTAL): figures.rental,
        income_account(IncomeKind.PLATFORM_FEE): figures.platform_fee,
        income_account(IncomeKind.INSURANCE): figures.insurance_fee,
        income_account(IncomeKind.GATEWAY_FEE): figures.gateway_fee,
        developer_account(organization_id): approved,
        income_account(IncomeKind.PAYOUT_ADJUSTMENT): proposed - approved,
    }
    rounded = {code: round_half_up(amount, 2) for code, amount in shares.items()}
    rounded[income_account(IncomeKind.ROUNDING)] = -sum(rounded.values(), _ZERO)
    return Entry(
        key=f"payout:{payout_id}:accrue",
        entry_type=EntryType.PAYOUT_ACCRUAL,
        payout_id=payout_id,
        author_account_id=author_id,
        memo=f"{Currency.NGN} {plain(round_half_up(approved, 2))} approved",
        postings=[Posting(code, amount) for code, amount in rounded.items() if amount != 0],
    )


def disbursement_entry(*, payout_id: int, organization_id: int, approved: Decimal, author_id: int) -> Entry:
    """Book that the bank transfer was made [PAY-166]."""
    amount = round_half_up(approved, 2)
    return Entry(
        key=f"payout:{payout_id}:disburse",
        entry_type=EntryType.PAYOUT_DISBURSEMENT,
        payout_id=payout_id,
        author_account_id=author_id,
        postings=[Posting(developer_account(organization_id), -amount), Posting(DISBURSEMENTS, amount)],
    )
