"""Tokens for test benches: one order a line, one token a line."""

from __future__ import annotations

import secrets
from functools import lru_cache

from nxt_adapters.system.des import des_encrypt
from nxt_domain.shared.json import JsonObject
from nxt_domain.tokens.sts import (
    Algorithm,
    BaseDate,
    CannotEncode,
    DecoderKey,
    KeyParameters,
    KeyRequest,
    MeterNumber,
    MeterTest,
    Refusal,
    TimedToken,
    TokenType,
    VendingKey,
    derive_key,
    encode,
    encode_kwh,
    encode_power_limit,
    tid_of,
)
from nxt_domain.tokens.sts.catalogue import LIMITS, TESTS, TIMED, UNIT_CREDITS
from nxt_domain.tokens.sts.keys import key_type_of
from nxt_entrypoints.cli.field.json_lines import read_object
from nxt_entrypoints.cli.field.members import Members

_KINDS = {kind.value: kind for kind in TIMED | TESTS}


def token_of_line(line: str) -> JsonObject:
    """Make the token that one line of JSON orders.

    Raises:
        InvalidInput: The order is malformed or refused; its code says why.
    """
    order = Members(read_object(line))
    kind = _KINDS.get(f"{order.whole('class')}.{order.whole('subclass')}")
    if kind is None:
        raise CannotEncode(Refusal.KIND_UNSUPPORTED, "Only tokens with a minute, and tests, are made here")
    if kind in TESTS:
        manufacturer = order.whole("manufacturer", 0)
        return {"token": encode(MeterTest(kind=kind, control=order.whole("raw"), manufacturer=manufacturer))}
    return {"token": encode(_timed(kind, order), _key(order))}


def _timed(kind: TokenType, order: Members) -> TimedToken:
    base = order.base_date("base_date")
    return TimedToken(
        kind=kind,
        nonce=order.whole("rnd") if order.has("rnd") else secrets.randbelow(16),
        tid=order.whole("tid") if order.has("tid") else tid_of(order.instant("issued_at"), base),
        field=_field(kind, order),
    )


def _field(kind: TokenType, order: Members) -> int:
    """Take the value in the unit that the kind of token has, or the 16 bits as they are."""
    if order.has("raw"):
        return order.whole("raw")
    if kind in UNIT_CREDITS:
        return encode_kwh(order.decimal("amount"))
    return encode_power_limit(order.whole("watts")) if kind in LIMITS else order.whole("raw")


def _key(order: Members) -> DecoderKey:
    algorithm = order.algorithm()
    if order.has("decoder_key"):
        return _given_key(order.text("decoder_key"), algorithm)
    if not order.has("dkga"):
        raise CannotEncode(Refusal.DECODER_KEY_MISSING, "Give decoder_key, or dkga with vending_key and the rest")
    request = KeyRequest(
        derivation=order.derivation(),
        algorithm=algorithm,
        number=MeterNumber.of_pan(order.text("pan")),
        parameters=KeyParameters(
            supply_group=order.code("sgc", 6),
            tariff_index=order.code("ti", 2),
            key_revision=order.whole("krn"),
            key_type=key_type_of(order.whole("key_type", 2)),
        ),
        base=order.base_date("key_base_date", order.base_date("base_date", BaseDate.Y2014)),
        allows_unconfirmed=order.content.get("allow_unconfirmed") is True,
    )
    return _derived_key(order.text("vending_key"), request)


# A bench asks for many tokens of few meters; a key that is kept keeps its cipher's schedule.
@lru_cache(maxsize=1024)
def _given_key(text: str, algorithm: Algorithm) -> DecoderKey:
    return DecoderKey.parse(text, algorithm)


@lru_cache(maxsize=1024)
def _derived_key(vending_key: str, request: KeyRequest) -> DecoderKey:
    return derive_key(VendingKey.parse(vending_key), request, des=des_encrypt)
