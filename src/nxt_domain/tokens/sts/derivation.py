"""Decoder keys from the vending key of a supply group [STS-51 to STS-54]."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import attrs

from nxt_domain.tokens.sts.errors import CannotEncode, Refusal
from nxt_domain.tokens.sts.keys import Algorithm, DecoderKey, KeyParameters, KeyType, VendingKey
from nxt_domain.tokens.sts.numbers import MeterNumber
from nxt_domain.tokens.sts.times import BaseDate

DesEncrypt = Callable[[bytes, bytes], bytes]
"""Single DES, ECB, one block of eight octets, no padding: ``(key, block) -> cipher text`` [STS-53]."""

_VENDING_KEY_BYTES_02: Final = 8
_VENDING_KEY_BYTES_04: Final = 20


class Derivation(StrEnum):
    """Decoder key generation algorithm (DKGA); 01 and 03 are unconfirmed, and refused."""

    DKGA_02 = "02"
    DKGA_04 = "04"


@attrs.frozen(kw_only=True)
class KeyRequest:
    """A decoder key to be derived.

    Attributes:
        number: The meter's number; with it comes the PAN.
        base: Base date of the key; part of DKGA 04 alone.
        is_number_checked: Whether a wrong check digit of the number is refused [STS-10].
        allows_unconfirmed: Whether key types 1 and 3 are derived, which no independent vector proves.
    """

    derivation: Derivation
    algorithm: Algorithm
    number: MeterNumber
    parameters: KeyParameters
    base: BaseDate = BaseDate.Y2014
    is_number_checked: bool = True
    allows_unconfirmed: bool = False


def derive_key(vending_key: VendingKey, request: KeyRequest, *, des: DesEncrypt) -> DecoderKey:
    """Derive a meter's decoder key.

    Args:
        vending_key: 8 octets for DKGA 02, 20 for DKGA 04.
        request: For which meter, and how.
        des: The one primitive that this package has not got.

    Raises:
        CannotEncode: The inputs are refused, with the code that says why.
    """
    if request.is_number_checked and not request.number.is_valid:
        raise CannotEncode(Refusal.METER_NUMBER_INVALID, "The check digit of the meter number is wrong")
    key_type = request.parameters.key_type
    if key_type in {KeyType.DEFAULT, KeyType.COMMON} and not request.allows_unconfirmed:
        raise CannotEncode(Refusal.UNCONFIRMED, f"Keys of type {key_type} are unconfirmed; allow them if you must")
    if request.derivation is Derivation.DKGA_02:
        return _dkga_02(vending_key, request, des)
    return _dkga_04(vending_key, request)


def _dkga_02(vending_key: VendingKey, request: KeyRequest, des: DesEncrypt) -> DecoderKey:
    """[STS-52]."""
    if request.algorithm is not Algorithm.STA:
        raise CannotEncode(Refusal.ALGORITHM_UNSUPPORTED, "DKGA 02 makes keys for EA 07 only")
    _check_length(vending_key, _VENDING_KEY_BYTES_02)
    data = pan_block(request.number, request.parameters.key_type) ^ control_block(request.parameters)
    encrypted = int.from_bytes(des(vending_key.octets, data.to_bytes(8, "big")), "big")
    key = encrypted ^ data ^ int.from_bytes(vending_key.octets, "big")
    return DecoderKey(key.to_bytes(8, "big"))


def pan_block(number: MeterNumber, key_type: KeyType) -> int:
    """Return the end of the issuer's number and the meter number, 16 digits read as hexadecimal.

    The meter number is zero in common keys (unconfirmed by a token).
    """
    digits = "0" * len(number.digits) if key_type is KeyType.COMMON else number.digits
    return int((number.issuer + digits)[-16:], 16)


def control_block(parameters: KeyParameters) -> int:
    """Return key type, supply group, tariff index and key revision as 16 hexadecimal digits."""
    given = f"{parameters.key_type:d}{parameters.supply_group}{parameters.tariff_index}{parameters.key_revision}"
    return int(f"{given}FFFFFF", 16)


def _dkga_04(vending_key: VendingKey, request: KeyRequest) -> DecoderKey:
    """[STS-54]."""
    if request.parameters.key_type is KeyType.COMMON:
        raise CannotEncode(Refusal.UNCONFIRMED, "DKGA 04 makes no common keys: which PAN enters is unconfirmed")
    _check_length(vending_key, _VENDING_KEY_BYTES_04)
    digest = hmac.digest(vending_key.octets, derivation_data(request), hashlib.sha256)
    return DecoderKey(digest[: request.algorithm.key_bytes])


def derivation_data(request: KeyRequest) -> bytes:
    """Return the 49 octets that DKGA 04 authenticates."""
    parameters = request.parameters
    return b"".join(
        (
            b"\x04",
            _counted(request.derivation),
            _counted(request.base.code),
            _counted(request.algorithm),
            _counted(parameters.tariff_index),
            b"\x00\x04",
            _counted(parameters.supply_group),
            _counted(f"{parameters.key_type:d}"),
            _counted(f"{parameters.key_revision}"),
            _counted(request.number.pan),
            (request.algorithm.key_bytes * 8).to_bytes(4, "big"),
        )
    )


def _counted(text: str) -> bytes:
    return bytes((len(text),)) + text.encode("ascii")


def _check_length(vending_key: VendingKey, wanted: int) -> None:
    if len(vending_key.octets) != wanted:
        raise CannotEncode(Refusal.VENDING_KEY_INVALID, f"This derivation takes a vending key of {wanted} octets")
