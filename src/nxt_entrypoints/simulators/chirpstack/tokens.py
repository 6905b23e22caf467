"""How a simulated meter judges a prepayment token: by its decoder key if it has one, else as a test token."""

from decimal import Decimal
from typing import Protocol

import attrs

from nxt_entrypoints.simulators.sts.meter import StsMemory, judge

ACCEPTED = "ACCEPTED"
_MODULUS = 9973
_TOP_CREDIT_KWH = Decimal("999999.9")


@attrs.frozen(kw_only=True)
class Verdict:
    """What the meter makes of a token.

    Attributes:
        result: ``ACCEPTED``, ``PENDING``, or the reason of the refusal.
        is_accepted: whether the meter says yes.
        energy_kwh: added to the credit.
        power_limit_w: set, unless None.
        clears_credit: whether the credit is gone.
        clears_tamper: whether the tamper condition is over.
        memory: what the meter knows from now on of keys and tokens; None for test tokens.
    """

    result: str
    is_accepted: bool
    energy_kwh: Decimal = Decimal(0)
    power_limit_w: int | None = None
    clears_credit: bool = False
    clears_tamper: bool = False
    memory: StsMemory | None = None


class TokenJudge(Protocol):
    """Reads a token for one meter."""

    def judge(self, number: str, token: str, credit_kwh: Decimal, memory: StsMemory | None) -> Verdict:
        """Return what a token does, or why it does nothing.

        Args:
            number: the meter's.
            token: 20 digits.
            credit_kwh: what the meter has now.
            memory: what it knows of keys and tokens.
        """
        ...


class StsTokenJudge:
    """Tokens of the vendors ``native`` and ``nxt-sts``, decoded with the meter's own key [STS-59]."""

    def judge(self, _number: str, token: str, credit_kwh: Decimal, memory: StsMemory | None) -> Verdict:
        """Return the effect, or the refusal; a token for another key has no readable effect."""
        if memory is None:
            return Verdict(result="KEY_MISSING", is_accepted=False)
        made = judge(memory, token, credit_kwh)
        return Verdict(is_accepted=made.is_accepted, **attrs.asdict(made, recurse=False))


class TestTokenJudge:
    """Tokens of the vendor ``test`` [R23].

    20 digits: ``0``, kWh x 10 (6 digits), issue minute (9), and the remainder of (meter number + the
    first 16 digits as a number) by 9973 (4).

    Args:
        used: tokens that the meter took before.
    """

    __test__ = False  # the name is the vendor's; it is no test case

    def __init__(self, used: frozenset[str] = frozenset()) -> None:
        self._used = set(used)

    def judge(self, number: str, token: str, credit_kwh: Decimal, _memory: StsMemory | None) -> Verdict:
        """Return the energy, or the refusal: ``FORMAT``, ``CHECK``, ``RANGE``, ``USED`` or ``OVERFLOW``."""
        energy_kwh = Decimal(int(token[1:7]) if _is_test_token(token) else 0).scaleb(-1)
        reason = self._refusal(number, token, credit_kwh + energy_kwh, energy_kwh)
        if reason is not None:
            return Verdict(result=reason, is_accepted=False)
        self._used.add(token)
        return Verdict(result=ACCEPTED, is_accepted=True, energy_kwh=energy_kwh)

    def _refusal(self, number: str, token: str, credit_kwh: Decimal, energy_kwh: Decimal) -> str | None:
        if not _is_test_token(token):
            return "FORMAT"
        if (int(number) + int(token[:16])) % _MODULUS != int(token[16:]):
            return "CHECK"
        if energy_kwh == 0:
            return "RANGE"
        if token in self._used:
            return "USED"
        return "OVERFLOW" if credit_kwh > _TOP_CREDIT_KWH else None


def _is_test_token(token: str) -> bool:
    return len(token) == 20 and token.isascii() and token.isdecimal() and token[0] == "0"
