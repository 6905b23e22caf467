"""Keys: secrets that show a fingerprint at most, and the parameters that go with them [STS-7, STS-8, STS-12]."""

from __future__ import annotations

import hashlib
import hmac
import re
from enum import IntEnum, StrEnum
from typing import Final, NoReturn, Protocol, Self

import attrs

from nxt_domain.tokens.sts.errors import CannotEncode, Refusal
from nxt_domain.tokens.sts.misty1 import Misty1
from nxt_domain.tokens.sts.sta import StandardTransfer

_HEXADECIMAL: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+", re.ASCII)


class Algorithm(StrEnum):
    """Encryption algorithm (EA)."""

    STA = "07"
    MISTY1 = "11"

    @property
    def key_bytes(self) -> int:
        """How long its decoder keys are."""
        return 8 if self is Algorithm.STA else 16


class KeyType(IntEnum):
    """KT."""

    INITIALISATION = 0
    DEFAULT = 1
    UNIQUE = 2
    COMMON = 3


class Cipher(Protocol):
    """Encrypts one block of 64 bits."""

    def encrypt(self, block: int) -> int:
        """Return the cipher text."""

    def decrypt(self, block: int) -> int:
        """Return the block."""


class SecretKey:
    """Octets that no output may hold: text, pickles and JSON show a fingerprint or fail [STS-7]."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    @property
    def octets(self) -> bytes:
        """The secret itself."""
        return self._octets

    @property
    def fingerprint(self) -> str:
        """Six hexadecimal digits that tell keys apart and give nothing away."""
        return hashlib.sha256(self._octets).hexdigest()[:6]

    def reveal(self) -> str:
        """Return the secret in upper-case hexadecimal, most significant digit first [STS-8]."""
        return self._octets.hex().upper()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(•••{self.fingerprint})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretKey) and hmac.compare_digest(self._octets, other.octets)

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self!r} leaves this process in no form")


class VendingKey(SecretKey):
    """The secret of a supply group."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read hexadecimal text.

        Raises:
            CannotEncode: ``VENDING_KEY_INVALID``.
        """
        if not _HEXADECIMAL.fullmatch(text.strip()):
            raise CannotEncode(Refusal.VENDING_KEY_INVALID, "A vending key is hexadecimal")
        return cls(bytes.fromhex(text.strip()))


class DecoderKey(SecretKey):
    """The secret of one meter: 64 bits for EA 07, 128 for EA 11."""

    __slots__ = ("_cipher",)

    def __init__(self, octets: bytes) -> None:
        super().__init__(octets)
        self._cipher: Cipher | None = None

    @classmethod
    def parse(cls, text: str | None, algorithm: Algorithm | None = None) -> Self:
        """Read hexadecimal text.

        Args:
            text: Either letter case, blanks around it do not count.
            algorithm: What the key must be for; None takes either by the key's length.

        Raises:
            CannotEncode: ``DECODER_KEY_MISSING`` or ``DECODER_KEY_INVALID``.
        """
        digits = "" if text is None else text.strip()
        if not digits:
            raise CannotEncode(Refusal.DECODER_KEY_MISSING, "The meter has no decoder key")
        wanted = list(Algorithm) if algorithm is None else [algorithm]
        if not _HEXADECIMAL.fullmatch(digits) or len(digits) // 2 not in {each.key_bytes for each in wanted}:
            lengths = " or ".join(str(each.key_bytes * 2) for each in wanted)
            raise CannotEncode(Refusal.DECODER_KEY_INVALID, f"A decoder key has {lengths} hexadecimal digits")
        return cls(bytes.fromhex(digits))

    @property
    def algorithm(self) -> Algorithm:
        """What the key is for, by its length."""
        return Algorithm.STA if len(self._octets) == Algorithm.STA.key_bytes else Algorithm.MISTY1

    @property
    def cipher(self) -> Cipher:
        """Its cipher, ready for many tokens."""
        if self._cipher is None:
            value = int.from_bytes(self._octets, "big")
            self._cipher = StandardTransfer(value) if self.algorithm is Algorithm.STA else Misty1(value)
        return self._cipher


@attrs.frozen(kw_only=True)
class KeyParameters:
    """What a meter's key stands for.

    Attributes:
        supply_group: SGC, six digits.
        tariff_index: TI, two digits.
        key_revision: KRN, 1…9.
        key_type: KT.

    Raises:
        CannotEncode: ``KEY_PARAMETERS_INVALID``.
    """

    supply_group: str
    tariff_index: str
    key_revision: int
    key_type: KeyType = KeyType.UNIQUE

    def __attrs_post_init__(self) -> None:
        _check(_is_digits(self.supply_group, 6), "A supply group code has 6 digits")
        _check(_is_digits(self.tariff_index, 2), "A tariff index has 2 digits")
        _check(self.key_revision in range(1, 10), "A key revision number is 1 to 9")


def key_type_of(number: int) -> KeyType:
    """Read a key type.

    Raises:
        CannotEncode: ``KEY_PARAMETERS_INVALID``: not 0…3.
    """
    _check(number in range(4), "A key type is 0 to 3")
    return KeyType(number)


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise CannotEncode(Refusal.KEY_PARAMETERS_INVALID, message)


def _is_digits(text: str, count: int) -> bool:
    return len(text) == count and text.isascii() and text.isdigit()
