"""The 16-bit format of amounts and limits: two bits of exponent, 14 of mantissa [STS-21 to STS-24]."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from nxt_domain.tokens.sts.errors import CannotEncode, Refusal

MANTISSA_BITS: Final = 14
_MANTISSA: Final = (1 << MANTISSA_BITS) - 1
_STEPS: Final = (1, 10, 100, 1000)
_FIRST: Final = (0, 16_384, 180_224, 1_818_624)
LARGEST_UNITS: Final = 18_201_624
LARGEST_KWH: Final = Decimal(LARGEST_UNITS).scaleb(-1)


def encode_units(units: int) -> int:
    """Put a whole number of base units (0.1 kWh, or 1 W) into 16 bits, rounding up [STS-21].

    Raises:
        CannotEncode: ``AMOUNT_TOO_LARGE`` above 18201624, ``AMOUNT_INVALID`` below 0.
    """
    if units < 0:
        raise CannotEncode(Refusal.AMOUNT_INVALID, "An amount can't be negative")
    if units > LARGEST_UNITS:
        raise CannotEncode(Refusal.AMOUNT_TOO_LARGE, f"An amount of {units} units is more than a token can carry")
    exponent = sum(units >= first for first in _FIRST) - 1
    # A mantissa that rounds up to 2^14 carries into the exponent, and so gives the first value of the next row.
    return (exponent << MANTISSA_BITS) - (_FIRST[exponent] - units) // _STEPS[exponent]


def decode_units(field: int) -> int:
    """Read 16 bits as base units: never less than what was put in, and more by less than one step [STS-21]."""
    exponent = field >> MANTISSA_BITS
    return _STEPS[exponent] * (field & _MANTISSA) + _FIRST[exponent]


def tenths_of(energy: Decimal) -> int:
    """Turn kWh (or m³, or another unit) into whole tenths: up below 1, down above [STS-22].

    Raises:
        CannotEncode: ``AMOUNT_INVALID`` if not finite or negative, ``AMOUNT_TOO_LARGE`` above 1820162.4.
    """
    if not energy.is_finite() or energy < 0:
        raise CannotEncode(Refusal.AMOUNT_INVALID, "An amount must be a finite number, not negative")
    if energy > LARGEST_KWH:
        raise CannotEncode(Refusal.AMOUNT_TOO_LARGE, f"An amount must not exceed {LARGEST_KWH}")
    rounding = ROUND_CEILING if energy < 1 else ROUND_FLOOR
    # Unit by unit: a product would be rounded to the context's 28 digits first.
    return int(energy.quantize(Decimal("0.1"), rounding=rounding).scaleb(1))


def encode_kwh(energy_kwh: Decimal) -> int:
    """Put an energy into the 16 bits of a credit token.

    Raises:
        CannotEncode: As ``tenths_of``.
    """
    return encode_units(tenths_of(energy_kwh))


def decode_kwh(field: int) -> Decimal:
    """Read the energy in kWh that a meter adds for the 16 bits of a credit token."""
    return Decimal(decode_units(field)).scaleb(-1)


def largest_encodable_kwh(energy_kwh: Decimal) -> Decimal:
    """Return the greatest energy not above the argument that a token can carry exactly [STS-23].

    Examples:
        1638.5 → 1638.4; 1.19 → 1.1; 0.05 → 0.
    """
    if not energy_kwh.is_finite() or energy_kwh < 0:
        raise CannotEncode(Refusal.AMOUNT_INVALID, "An amount must be a finite number, not negative")
    tenths = int(min(energy_kwh, LARGEST_KWH).quantize(Decimal("0.1"), rounding=ROUND_FLOOR).scaleb(1))
    exponent = sum(tenths >= first for first in _FIRST) - 1
    exact = tenths - (tenths - _FIRST[exponent]) % _STEPS[exponent]
    return Decimal(exact).scaleb(-1)


def encode_power_limit(power_limit_w: int) -> int:
    """Put a limit in W into 16 bits; 0 is no limit [STS-24].

    Raises:
        CannotEncode: ``POWER_LIMIT_INVALID`` outside 0…18201624.
    """
    if isinstance(power_limit_w, bool) or not isinstance(power_limit_w, int) or not 0 <= power_limit_w <= LARGEST_UNITS:
        raise CannotEncode(Refusal.POWER_LIMIT_INVALID, f"A power limit is a whole number of W, 0 to {LARGEST_UNITS}")
    return encode_units(power_limit_w)
