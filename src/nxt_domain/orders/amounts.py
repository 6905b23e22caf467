"""How much an order may be [PAY-4, PAY-10, R13]."""

from __future__ import annotations

from decimal import Decimal

from nxt_domain.grids.tariffs import TariffFacts, energy_sold, tariff_of_meter
from nxt_domain.shared.errors import InvalidInput, Unprocessable
from nxt_domain.shared.money import decimal_places

SMALLEST_AMOUNT = Decimal(1)
LARGEST_AMOUNT = Decimal(10_000_000)
LARGEST_TOP_UP_KWH = Decimal(10_000)


def check_amount(amount: Decimal) -> None:
    """Check the amount of a new order, major units.

    Raises:
        InvalidInput: With every violated rule, in the words of PAY-10.
    """
    if not amount.is_finite():
        raise InvalidInput("amount must be a number conforming to the specified constraints")
    problems = []
    if amount <= 0:
        problems.append("amount must be a positive number")
    if amount < SMALLEST_AMOUNT:
        problems.append(f"amount must not be less than {SMALLEST_AMOUNT}")
    if amount > LARGEST_AMOUNT:
        problems.append(f"amount must not be greater than {LARGEST_AMOUNT}")
    if decimal_places(amount) > 2:
        problems.append("amount must have at most 2 decimal places")
    if problems:
        raise InvalidInput(problems)


def sellable_energy(amount: Decimal, tariff: Decimal) -> Decimal | None:
    """Return the energy that an amount buys, kWh; None: more than one top-up may bring, so that it must wait [R13]."""
    energy_kwh = energy_sold(amount, tariff)
    return energy_kwh if energy_kwh <= LARGEST_TOP_UP_KWH else None


def check_top_up(amount: Decimal, facts: TariffFacts, meter_reference: str) -> None:
    """Refuse more energy than one top-up may bring, at the present tariff [R13, MET-48].

    Raises:
        Unprocessable: The amount buys more than 10,000 kWh.
    """
    tariff = tariff_of_meter(facts)
    if tariff is not None and sellable_energy(amount, tariff) is None:
        raise Unprocessable(f"Amount is too large for meter {meter_reference}", code="TOP_UP_TOO_LARGE")
