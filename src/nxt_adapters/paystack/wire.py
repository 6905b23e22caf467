"""What every message of Paystack has in common: amounts in minor units, and references in a small alphabet."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

_PLACES: Final = 2
"""Every currency is counted in hundredths, also those that have no coins for them."""
_MOST_DIGITS: Final = 17
_FOREIGN = re.compile(r"[^A-Za-z0-9.-]|^\.")
_ESCAPES = re.compile(r"(?:=[0-9A-F]{2})+")


def to_minor(amount: Decimal) -> int:
    """Count an amount in hundredths, e.g. kobo.

    Args:
        amount: Major units, > 0.

    Raises:
        ValueError: It is nothing, or finer than hundredths.
    """
    minor = amount.scaleb(_PLACES)
    if not minor.is_finite() or minor <= 0 or minor != minor.to_integral_value():
        raise ValueError(f"{amount} can't be paid in whole hundredths")
    return int(minor)


def to_major(minor: object) -> Decimal:
    """Read an amount in hundredths, a whole number or its digits as text, exactly [PAY-1].

    Raises:
        ValueError: It is something else, or too long to be money.
    """
    if isinstance(minor, int) and not isinstance(minor, bool):
        minor = str(minor)
    if not (isinstance(minor, str) and minor.isascii() and minor.isdigit() and len(minor) <= _MOST_DIGITS):
        raise ValueError("no whole number of hundredths")
    return Decimal(minor).scaleb(-_PLACES)


def to_wire(reference: str) -> str:
    """Spell an order's reference in the gateway's alphabet: letters, digits, ``-``, ``.`` and ``=``.

    Any other character becomes ``=`` and two hexadecimal digits for each of its bytes, as mail has it, e.g.
    ``Sun_Power+47`` → ``Sun=5FPower=2B47``. A leading dot does too, so that no reference is a step in a path.
    """
    return _FOREIGN.sub(lambda found: "".join(f"={byte:02X}" for byte in found[0].encode(errors="replace")), reference)


def from_wire(reference: str) -> str:
    """Undo ``to_wire``; a reference that it never made stays as it is."""
    try:
        plain = _ESCAPES.sub(lambda found: bytes.fromhex(found[0].replace("=", "")).decode(), reference)
    except UnicodeDecodeError:
        return reference
    return plain if to_wire(plain) == reference else reference
