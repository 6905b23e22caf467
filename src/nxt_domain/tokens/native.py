"""The token maker of real meters: standard tokens from the meter's own decoder key, made in this process [STS-2]."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from nxt_domain.tokens.model import TokenClass, TokenRequest
from nxt_domain.tokens.sts import (
    Algorithm,
    BaseDate,
    CannotEncode,
    DecoderKey,
    Refusal,
    TimedToken,
    TokenType,
    encode,
    encode_kwh,
    encode_power_limit,
    refuse_expired,
    tid_of,
)
from nxt_domain.tokens.sts.times import LARGEST_KEN

_ELECTRICITY: Final = 0
_TYPES: Final[Mapping[TokenClass, TokenType]] = {
    TokenClass.TOP_UP: TokenType.CREDIT_ELECTRICITY,
    TokenClass.SET_POWER_LIMIT: TokenType.POWER_LIMIT,
    TokenClass.CLEAR_CREDIT: TokenType.CLEAR_CREDIT,
    TokenClass.CLEAR_TAMPER: TokenType.CLEAR_TAMPER,
}


class NativeTokenMaker:
    """Makes tokens as any certified meter takes them, of EA 07 or EA 11 by the length of the meter's key.

    Args:
        base: Base date of the meters' keys [STS-18].
        key_expiry: KEN of the keys; 255 never expires [STS-20].
    """

    vendor_id = "native"
    needs_decoder_key = True

    def __init__(self, *, base: BaseDate = BaseDate.Y2014, key_expiry: int = LARGEST_KEN) -> None:
        self._base = base
        self._key_expiry = key_expiry

    def make(self, request: TokenRequest) -> str:
        """Make the digits; the same request gives the same ones.

        Raises:
            InvalidInput: The order can't be put into a token, with a code of STS-6.
        """
        token = timed_token(request, base=self._base, key_expiry=self._key_expiry)
        return encode(token, decoder_key(request))


def timed_token(request: TokenRequest, *, base: BaseDate, key_expiry: int = LARGEST_KEN) -> TimedToken:
    """Turn an order into the fields of its token: what the meter will read.

    Raises:
        InvalidInput: It has none, with a code of STS-6.
    """
    tid = tid_of(request.issued_at, base)
    refuse_expired(tid, key_expiry)
    field = field_of(request.token_class, energy_kwh=request.energy_kwh, power_limit_w=request.power_limit_w)
    return TimedToken(kind=_TYPES[request.token_class], nonce=request.nonce, tid=tid, field=field)


def decoder_key(request: TokenRequest, algorithm: Algorithm | None = None) -> DecoderKey:
    """Read the key that came with an order.

    Raises:
        InvalidInput: ``TOKEN_DECODER_KEY_MISSING`` or ``TOKEN_DECODER_KEY_INVALID``.
    """
    return DecoderKey.parse(None if request.decoder_key is None else request.decoder_key.reveal(), algorithm)


def field_of(token_class: TokenClass, *, energy_kwh: Decimal | None, power_limit_w: int | None) -> int:
    """Read what an order is about as the 16 bits of a token: its energy, its limit, or nothing [DM-140].

    Raises:
        InvalidInput: What it needs is missing, or no token can say it, with a code of STS-6.
    """
    if token_class is TokenClass.TOP_UP:
        if energy_kwh is None or not energy_kwh.is_finite() or energy_kwh <= 0:
            raise CannotEncode(Refusal.AMOUNT_INVALID, "A top-up needs an energy above 0")
        return encode_kwh(energy_kwh)
    if token_class is TokenClass.SET_POWER_LIMIT:
        if power_limit_w is None:
            raise CannotEncode(Refusal.POWER_LIMIT_INVALID, "A power limit needs its W")
        return encode_power_limit(power_limit_w)
    return _ELECTRICITY  # the register of CLEAR_CREDIT; as the pad of CLEAR_TAMPER it is 0, too [STS-25, STS-26]
