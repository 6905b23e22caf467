"""Numbers on meters: check digits, forms, and the 18-digit PAN [STS-9 to STS-11]."""

from __future__ import annotations

from typing import Final

import attrs

from nxt_domain.tokens.sts.errors import CannotEncode, Refusal

_ISSUERS: Final = {11: "600727", 13: "0000"}
_PAN_DIGITS: Final = 18


def check_digit(payload: str) -> str:
    """Return Luhn's digit over decimal digits [STS-9]."""
    total = 0
    for place, digit in enumerate(reversed(payload)):
        value = int(digit)
        if place % 2 == 0:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return str(-total % 10)


@attrs.frozen
class MeterNumber:
    """The number on a meter (DRN, IAIN), 11 or 13 digits [STS-10].

    Attributes:
        digits: Without spaces; the check digit may be wrong.
    """

    digits: str

    @classmethod
    def parse(cls, text: str) -> MeterNumber:
        """Read a number as people write it.

        Raises:
            CannotEncode: ``METER_NUMBER_INVALID``: not 11 or 13 decimal digits.
        """
        digits = text.replace(" ", "")
        if len(digits) not in _ISSUERS or not _is_decimal(digits):
            raise CannotEncode(Refusal.METER_NUMBER_INVALID, "A meter number has 11 or 13 digits")
        return cls(digits)

    @property
    def manufacturer(self) -> str:
        """The manufacturer's code: two digits, or four in the long form."""
        return self.digits[: 2 if len(self.digits) == 11 else 4]

    @property
    def serial(self) -> str:
        """Eight digits."""
        return self.digits[len(self.manufacturer) : -1]

    @property
    def check_digit(self) -> str:
        """The digit that the number should end in."""
        return check_digit(self.digits[:-1])

    @property
    def is_valid(self) -> bool:
        """Whether it ends in its check digit."""
        return self.digits[-1] == self.check_digit

    @property
    def issuer(self) -> str:
        """The issuer's prefix (IIN)."""
        return _ISSUERS[len(self.digits)]

    @property
    def pan(self) -> str:
        """The 18 digits that key derivation takes [STS-11]."""
        payload = self.issuer + self.digits
        return payload + check_digit(payload)

    @classmethod
    def of_pan(cls, text: str) -> MeterNumber:
        """Read a PAN back.

        Raises:
            CannotEncode: ``PAN_INVALID``: not 18 digits, an unknown issuer, or a wrong check digit.
        """
        pan = text.replace(" ", "")
        if len(pan) != _PAN_DIGITS or not _is_decimal(pan):
            raise CannotEncode(Refusal.PAN_INVALID, "A PAN has 18 digits")
        number = cls(pan[4:-1] if pan.startswith("0000") else pan[6:-1])
        if not pan.startswith(number.issuer):
            raise CannotEncode(Refusal.PAN_INVALID, "A PAN begins with 0000 or 600727")
        if pan != number.pan:
            raise CannotEncode(Refusal.PAN_INVALID, "The PAN's check digit is wrong")
        return number


def _is_decimal(text: str) -> bool:
    return text.isascii() and text.isdigit()
