"""How a simulated meter judges a prepayment token."""

from decimal import Decimal
from typing import Protocol

import attrs

_MODULUS = 9973
_TOP_CREDIT_KWH = Decimal("999999.9")


@attrs.frozen(kw_only=True)
class Verdict:
    """What the meter makes of a token: its energy when accepted, else the reason of the refusal."""

    energy_kwh: Decimal = Decimal(0)
    refusal: str | None = None


class TokenJudge(Protocol):
    """Reads a token for one meter; whether it was used before is the meter's own memory."""

    def judge(self, number: str, token: str) -> Verdict:
        """Return the energy in kWh that the 20 digits give to the meter, or why they don't."""
        ...


class TestTokenJudge:
    """Tokens of the vendor ``test`` [R23].

    20 digits: ``0``, kWh x 10 (6 digits), issue minute (9), and the remainder of (meter number + the
    first 16 digits as a number) by 9973 (4).
    """

    __test__ = False  # the name is the vendor's; it is no test case

    def judge(self, number: str, token: str) -> Verdict:
        """Return the energy in kWh, or the refusal: ``FORMAT``, ``CHECK`` or ``RANGE``."""
        if len(token) != 20 or not (token.isascii() and token.isdecimal()) or token[0] != "0":
            return Verdict(refusal="FORMAT")
        if (int(number) + int(token[:16])) % _MODULUS != int(token[16:]):
            return Verdict(refusal="CHECK")
        tenths = int(token[1:7])
        if tenths == 0:
            return Verdict(refusal="RANGE")
        return Verdict(energy_kwh=Decimal(tenths).scaleb(-1))


def overflows(credit_kwh: Decimal) -> bool:
    """Tell whether a meter's register can't hold the credit."""
    return credit_kwh > _TOP_CREDIT_KWH
