"""What a kilowatt-hour costs at a meter, and what that makes of money and energy (PAY 11.3, MET 5.11)."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import attrs

from nxt_domain.shared.money import ceil_tenth, quotient, round_half_up


class MeterType(StrEnum):
    """Service tier of a meter."""

    HPS = "HPS"
    FS = "FS"


@attrs.frozen(kw_only=True)
class TariffFacts:
    """What the price at a meter depends on; prices per kWh sold, in the grid's currency.

    Attributes:
        meter_type: Service tier of the meter.
        own_tariff: The meter's own price; None: it has none.
        essential_tariff: The grid's ``kwh_tariff_essential_service``; None: the meter serves no customer.
        full_tariff: The grid's ``kwh_tariff_full_service``; None: the meter serves no customer.
        is_dual_meter_grid: Whether a connection may have one meter per tier (``uses_dual_meter_setup``).
    """

    meter_type: MeterType
    own_tariff: Decimal | None
    essential_tariff: Decimal | None
    full_tariff: Decimal | None
    is_dual_meter_grid: bool


def tariff_of_meter(facts: TariffFacts) -> Decimal | None:
    """Find the price of a kilowatt-hour at a meter; None: none is defined [PAY-107, MET-91].

    A price of zero or less counts as missing. In a grid with one meter per customer the essential price holds.
    """
    if _is_price(facts.own_tariff):
        return facts.own_tariff
    is_full_service = facts.is_dual_meter_grid and facts.meter_type is MeterType.FS
    tariff = facts.full_tariff if is_full_service else facts.essential_tariff
    return tariff if _is_price(tariff) else None


def energy_sold(amount: Decimal, tariff: Decimal) -> Decimal:
    """Return the energy that an amount buys, kWh, rounded up to 0.1 in the customer's favour [PAY-108].

    Args:
        amount: Major units of the currency, > 0.
        tariff: Price per kWh in the same currency, > 0.
    """
    return ceil_tenth(quotient(amount, tariff))


def credit_value(credit_kwh: Decimal, tariff: Decimal) -> Decimal:
    """Return what the credit left on a meter is worth, to the cent [PAY-111, MET-91].

    Args:
        credit_kwh: Energy left, kWh.
        tariff: Price per kWh.
    """
    return round_half_up(credit_kwh * tariff, 2)


def _is_price(value: Decimal | None) -> bool:
    return value is not None and value > 0
