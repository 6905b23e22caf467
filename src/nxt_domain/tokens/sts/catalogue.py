"""What tokens there are, and their fields [STS-13 to STS-16, STS-34 to STS-36]."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final

import attrs

from nxt_domain.tokens.sts.errors import CannotEncode, Refusal
from nxt_domain.tokens.sts.times import checked_tid
from nxt_domain.tokens.sts.values import MANTISSA_BITS, decode_kwh, decode_units

ALL_REGISTERS: Final = 0xFFFF
"""The register of ``CLEAR_CREDIT`` that stands for all; 0 is electricity [STS-25]."""


class TokenType(StrEnum):
    """Class and subclass."""

    CREDIT_ELECTRICITY = "0.0"
    CREDIT_WATER = "0.1"
    CREDIT_GAS = "0.2"
    CREDIT_TIME = "0.3"
    CURRENCY_ELECTRICITY = "0.4"
    CURRENCY_WATER = "0.5"
    CURRENCY_GAS = "0.6"
    CURRENCY_TIME = "0.7"
    TEST_SHORT = "1.0"
    TEST_LONG = "1.1"
    EXTENDED_READ = "1.2"
    POWER_LIMIT = "2.0"
    CLEAR_CREDIT = "2.1"
    TARIFF_RATE = "2.2"
    KEY_CHANGE_1 = "2.3"
    KEY_CHANGE_2 = "2.4"
    CLEAR_TAMPER = "2.5"
    UNBALANCE_LIMIT = "2.6"
    WATER_FACTOR = "2.7"
    KEY_CHANGE_3 = "2.8"
    KEY_CHANGE_4 = "2.9"
    EXTENDED_SET = "2.10"

    @property
    def token_class(self) -> int:
        """0…3."""
        return int(self.value[0])

    @property
    def subclass(self) -> int:
        """0…15."""
        return int(self.value[2:])


UNIT_CREDITS: Final = frozenset(
    {TokenType.CREDIT_ELECTRICITY, TokenType.CREDIT_WATER, TokenType.CREDIT_GAS, TokenType.CREDIT_TIME}
)
"""Amounts in tenths of a unit."""
LIMITS: Final = frozenset({TokenType.POWER_LIMIT, TokenType.UNBALANCE_LIMIT})
"""Limits in W."""
RAW_VALUES: Final = frozenset(
    {TokenType.CLEAR_CREDIT, TokenType.TARIFF_RATE, TokenType.CLEAR_TAMPER, TokenType.WATER_FACTOR}
)
"""A plain number of 16 bits: a register, a rate, a pad, a factor."""
TIMED: Final = UNIT_CREDITS | LIMITS | RAW_VALUES
"""Tokens of nonce, TID and 16 bits."""
CURRENCY_CREDITS: Final = frozenset(
    {
        TokenType.CURRENCY_ELECTRICITY,
        TokenType.CURRENCY_WATER,
        TokenType.CURRENCY_GAS,
        TokenType.CURRENCY_TIME,
    }
)
TESTS: Final = frozenset({TokenType.TEST_SHORT, TokenType.TEST_LONG})
KEY_CHANGES: Final = (
    TokenType.KEY_CHANGE_1,
    TokenType.KEY_CHANGE_2,
    TokenType.KEY_CHANGE_3,
    TokenType.KEY_CHANGE_4,
)
"""By section."""


@attrs.frozen(kw_only=True)
class TimedToken:
    """A token with a nonce and a minute, which a meter takes once.

    Attributes:
        kind: One of ``TIMED``.
        nonce: 0…15; varies the digits only [STS-16].
        tid: Token identifier, the minute of issue, 24 bits.
        field: 16 bits, as they stand in the token.

    Raises:
        CannotEncode: A field does not fit.
    """

    kind: TokenType
    nonce: int
    tid: int
    field: int

    def __attrs_post_init__(self) -> None:
        if self.nonce not in range(16):
            raise CannotEncode(Refusal.NONCE_INVALID, "The nonce is a whole number from 0 to 15")
        if self.field not in range(1 << 16):
            raise CannotEncode(Refusal.VALUE_INVALID, "The value is a whole number of 16 bits")
        checked_tid(self.tid)

    @property
    def body(self) -> int:
        """48 bits [STS-27]."""
        return self.kind.subclass << 44 | self.nonce << 40 | self.tid << 16 | self.field

    @property
    def amount(self) -> Decimal | None:
        """What a credit adds, in kWh, m³ or the like; None for other tokens."""
        return decode_kwh(self.field) if self.kind in UNIT_CREDITS else None

    @property
    def limit_w(self) -> int | None:
        """What a limit sets, in W; None for other tokens."""
        return decode_units(self.field) if self.kind in LIMITS else None


@attrs.frozen(kw_only=True)
class CurrencyCredit:
    """A credit in money, which the system reads and never makes [STS-15].

    Attributes:
        amount: In the currency's main unit; its sign is unconfirmed.
    """

    kind: TokenType
    tid: int
    amount: Decimal


@attrs.frozen(kw_only=True)
class MeterTest:
    """Asks a meter to test or show something; needs no key [STS-34].

    Attributes:
        kind: ``TEST_SHORT`` for meters with 11 digits, ``TEST_LONG`` for those with 13.
        control: One bit per test; 36 bits, or 28 in the long form.
        manufacturer: Binary value of the manufacturer's digits; 0 is any.

    Raises:
        CannotEncode: A field does not fit.
    """

    kind: TokenType
    control: int
    manufacturer: int = 0

    def __attrs_post_init__(self) -> None:
        bits = control_bits(self.kind)
        if self.control not in range(1 << bits):
            raise CannotEncode(Refusal.VALUE_INVALID, f"The control of this token has {bits} bits")
        if self.manufacturer not in range(100 if self.kind is TokenType.TEST_SHORT else 10_000):
            raise CannotEncode(Refusal.VALUE_INVALID, "The manufacturer's code has too many digits for this token")

    @property
    def body(self) -> int:
        """48 bits."""
        return self.kind.subclass << 44 | self.control << 44 - control_bits(self.kind) | self.manufacturer


@attrs.frozen(kw_only=True)
class KeyChangePart:
    """One section of a key change. It holds a part of a secret, so it does not show itself [STS-56].

    Attributes:
        section: 1…4.
        content: The 44 bits after the subclass.
    """

    section: int
    content: int = attrs.field(repr=False)

    @property
    def kind(self) -> TokenType:
        """The token's type."""
        return KEY_CHANGES[self.section - 1]

    @property
    def body(self) -> int:
        """48 bits."""
        return self.kind.subclass << 44 | self.content


@attrs.frozen(kw_only=True)
class OpaqueToken:
    """A token that is known by name only: extended token set, extended read."""

    kind: TokenType
    body: int


Token = TimedToken | CurrencyCredit | MeterTest | KeyChangePart | OpaqueToken


def control_bits(kind: TokenType) -> int:
    """Tell how many tests a form can name."""
    return 36 if kind is TokenType.TEST_SHORT else 28


def meter_test(
    number: int, *, is_long: bool = False, manufacturer: int = 0, allows_unconfirmed: bool = False
) -> MeterTest:
    """Make the token of a test by its number [STS-35].

    Args:
        number: 0 for everything that the meter has, else the place of its bit from 1.
        is_long: The form with a manufacturer's code of four digits.
        manufacturer: Other than 0 is unconfirmed.
        allows_unconfirmed: Whether that is wanted all the same.

    Raises:
        CannotEncode: There is no such test, or it is unconfirmed.
    """
    kind = TokenType.TEST_LONG if is_long else TokenType.TEST_SHORT
    bits = control_bits(kind)
    if number not in range(bits + 1):
        raise CannotEncode(Refusal.VALUE_INVALID, f"Tests of this form are numbered 0 to {bits}")
    if manufacturer and not allows_unconfirmed:
        raise CannotEncode(
            Refusal.UNCONFIRMED, "Manufacturers' codes other than 0 are unconfirmed; allow them if you must"
        )
    return MeterTest(kind=kind, control=1 << number - 1 if number else (1 << bits) - 1, manufacturer=manufacturer)


def currency_amount(nonce: int, field: int) -> Decimal:
    """Read an amount of money: sign and three bits of exponent where the nonce stands, two more above the mantissa.

    Args:
        nonce: Four bits: sign, and bits 4, 3, 2 of the exponent.
        field: 16 bits: bits 1 and 0 of the exponent, 14 of mantissa.
    """
    exponent = (nonce & 7) << 2 | field >> MANTISSA_BITS
    mantissa = field & (1 << MANTISSA_BITS) - 1
    first = sum(10 ** (step - 1) << MANTISSA_BITS for step in range(1, exponent + 1))
    units = 10**exponent * mantissa + first
    return Decimal(f"{'-' if nonce & 8 else ''}{units}E-5")
