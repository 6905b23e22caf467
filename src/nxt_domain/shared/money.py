"""Exact money and the two ways to round it [PAY-1 … PAY-6]."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from enum import StrEnum

import attrs

from nxt_domain.shared.errors import InvalidInput, Unprocessable

_EXACT = Context(prec=60)
_HALF = Decimal("0.5")
_TENTH = Decimal("0.1")


class Currency(StrEnum):
    """The currencies that wallets, orders and tariffs may have."""

    USD = "USD"
    NGN = "NGN"
    EUR = "EUR"


def round_half_up(value: Decimal, places: int) -> Decimal:
    """Round to the nearest multiple of 10⁻ⁿ; an exact half goes toward +∞ [PAY-5].

    Args:
        value: Any finite decimal.
        places: n, the number of decimals to keep; may be 0.
    """
    shifted = _EXACT.add(_EXACT.scaleb(value, places), _HALF)
    return _EXACT.scaleb(shifted.to_integral_value(rounding=ROUND_FLOOR), -places)


def ceil_tenth(value: Decimal) -> Decimal:
    """Return the smallest multiple of 0.1 that is not below ``value`` [PAY-5]."""
    return value.quantize(_TENTH, rounding=ROUND_CEILING, context=_EXACT)


def quotient(dividend: Decimal, divisor: Decimal) -> Decimal:
    """Divide with 60 digits, so that what is exact stays exact before it is rounded once."""
    return _EXACT.divide(dividend, divisor)


def plain(value: Decimal) -> str:
    """Write a decimal without exponent and without trailing zeros: ``1000``, ``1000.5`` [PAY-3]."""
    text = str(value)  # much faster than a format, and the same but for numbers that it writes with an exponent
    if "E" in text:
        text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def decimal_places(value: Decimal) -> int:
    """Count the significant decimal places: 2 for 1.50e1·10⁻¹, 0 for 1000 and for 1E3."""
    exponent = value.normalize(_EXACT).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


@attrs.frozen
class Money:
    """An amount of one currency; amounts of different currencies never mix [PAY-20].

    Attributes:
        amount: Major units (naira), exact.
        currency: Its currency.
    """

    amount: Decimal
    currency: Currency

    def __attrs_post_init__(self) -> None:
        if not self.amount.is_finite():
            raise InvalidInput("amount must be a number conforming to the specified constraints")

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same_currency(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same_currency(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same_currency(other)

    def __str__(self) -> str:
        return f"{self.currency} {plain(self.amount)}"

    def _same_currency(self, other: Money) -> Decimal:
        if other.currency is not self.currency:
            raise Unprocessable(f"{self.currency} and {other.currency} can't be added", code="CURRENCY_MISMATCH")
        return other.amount
