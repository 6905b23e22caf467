"""Tokens of the Standard Transfer Specification (IEC 62055-41): pure, exact, without a dependency [STS-1].

>>> key = DecoderKey.parse("0123456789ABCDEF")
>>> at = datetime(2024, 3, 15, 10, 30, tzinfo=UTC)
>>> tid = tid_of(at, BaseDate.Y2014)
>>> field = encode_kwh(Decimal("0.5"))
>>> encode(TimedToken(kind=TokenType.CREDIT_ELECTRICITY, nonce=3, tid=tid, field=field), key)
'58627975513348563046'
"""

from nxt_domain.tokens.sts.catalogue import (
    CurrencyCredit,
    KeyChangePart,
    MeterTest,
    OpaqueToken,
    TimedToken,
    Token,
    TokenType,
    meter_test,
)
from nxt_domain.tokens.sts.codec import DecodedToken, decode, encode
from nxt_domain.tokens.sts.derivation import Derivation, DesEncrypt, KeyRequest, derive_key
from nxt_domain.tokens.sts.digits import in_groups
from nxt_domain.tokens.sts.errors import CannotEncode, Refusal, TokenFault, UnreadableToken
from nxt_domain.tokens.sts.key_change import KeyChange, MeterKey, decode_key_change, key_change_tokens
from nxt_domain.tokens.sts.keys import Algorithm, DecoderKey, KeyParameters, KeyType, VendingKey
from nxt_domain.tokens.sts.numbers import MeterNumber
from nxt_domain.tokens.sts.times import BaseDate, minute_of_tid, refuse_expired, tid_of
from nxt_domain.tokens.sts.values import (
    decode_kwh,
    decode_units,
    encode_kwh,
    encode_power_limit,
    largest_encodable_kwh,
)

__all__ = [
    "Algorithm",
    "BaseDate",
    "CannotEncode",
    "CurrencyCredit",
    "DecodedToken",
    "DecoderKey",
    "Derivation",
    "DesEncrypt",
    "KeyChange",
    "KeyChangePart",
    "KeyParameters",
    "KeyRequest",
    "KeyType",
    "MeterKey",
    "MeterNumber",
    "MeterTest",
    "OpaqueToken",
    "Refusal",
    "TimedToken",
    "Token",
    "TokenFault",
    "TokenType",
    "UnreadableToken",
    "VendingKey",
    "decode",
    "decode_key_change",
    "decode_kwh",
    "decode_units",
    "derive_key",
    "encode",
    "encode_kwh",
    "encode_power_limit",
    "in_groups",
    "key_change_tokens",
    "largest_encodable_kwh",
    "meter_test",
    "minute_of_tid",
    "refuse_expired",
    "tid_of",
]
