"""The vendor's token machine: it knows every meter's key and never uses a minute twice."""

import random
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from nxt_entrypoints.simulators.chirpstack.meter import Meter
from nxt_entrypoints.simulators.control import Clock
from nxt_entrypoints.simulators.sts.cipher import seal
from nxt_entrypoints.simulators.sts.service import packed

TOP_UP, POWER_LIMIT, CLEAR_CREDIT, CLEAR_TAMPER = (0, 0), (2, 0), (2, 1), (2, 5)
_BASE = datetime(2014, 1, 1)  # noqa: DTZ001 - minutes are counted on the clock of UTC
_LARGEST_KWH = Decimal(10_000)


class CannotVendError(ValueError):
    """The order makes no token; the text says why."""


class TokenMachine:
    """Makes tokens that the meters really read.

    Args:
        clock: the present instant.
        seed: start of the tokens' random numbers.
    """

    def __init__(self, clock: Clock, *, seed: int) -> None:
        self._clock = clock
        self._random = random.Random(seed)  # noqa: S311 - tokens must repeat for a seed
        self._last: dict[str, int] = {}
        self.made: list[tuple[str, str]] = []

    def make(self, meter: Meter, kind: tuple[int, int], value: int = 0) -> str:
        """Return 20 digits.

        Raises:
            CannotVendError: the meter has no key.
        """
        memory = meter.state.sts
        if memory is None:
            raise CannotVendError("the meter has no key")
        number = meter.identity.number
        minute = int((self._clock().replace(tzinfo=None) - _BASE).total_seconds() // 60) & 0xFFFFFF
        minute = max(minute, self._last.get(number, 0) + 1)
        self._last[number] = minute
        token_class, subclass = kind
        body = subclass << 44 | self._random.randrange(16) << 40 | minute << 16 | value
        token = seal(token_class, body, int(memory.key, 16))
        self.made.append((number, token))
        return token


def energy_field(amount: object) -> int:
    """Pack kWh into a token's field.

    Raises:
        CannotVendError: it is no energy that is sold.
    """
    if isinstance(amount, bool) or not isinstance(amount, int | Decimal) or not 0 < amount <= _LARGEST_KWH:
        raise CannotVendError("amount must be a number of kWh above 0")
    return packed(int(Decimal(amount) * 10) or 1)


def power_field(limit: object) -> int:
    """Pack W into a token's field.

    Raises:
        CannotVendError: it is no power.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or not 0 <= limit <= 18_201_624:
        raise CannotVendError("the power must be a whole number of W")
    return packed(limit)


def no_field(_value: object) -> int:
    """Tokens that clear something say nothing more."""
    return 0


FieldOf = Callable[[object], int]
