"""What a token says, as facts for people and programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from nxt_domain.shared.json import Json
from nxt_domain.tokens.sts import (
    Algorithm,
    CurrencyCredit,
    DecodedToken,
    KeyChange,
    KeyChangePart,
    MeterTest,
    OpaqueToken,
    TimedToken,
    Token,
    TokenType,
)
from nxt_domain.tokens.sts.catalogue import ALL_REGISTERS, control_bits
from nxt_domain.tokens.sts.key_change import public_fields

_TESTS: Final = (
    "load switch",
    "information display",
    "total energy register",
    "key revision number",
    "tariff index",
    "token reader",
    "power limit",
    "tamper status",
    "present power",
    "firmware version",
    "phase unbalance limit",
    "water meter factor",
    "tariff rate",
    "encryption algorithm",
    "key change tokens supported",
    "supply group",
    "key expiry number",
    "meter number",
)
"""Tests 1 to 18; the names from 11 on are unconfirmed [STS-35]."""
_AMOUNTS: Final = {
    TokenType.CREDIT_ELECTRICITY: "energy_kwh",
    TokenType.CREDIT_WATER: "water_m3",
    TokenType.CREDIT_GAS: "gas_m3",
    TokenType.CREDIT_TIME: "time",
    TokenType.POWER_LIMIT: "power_limit_w",
    TokenType.UNBALANCE_LIMIT: "unbalance_limit_w",
    TokenType.CLEAR_CREDIT: "register",
    TokenType.TARIFF_RATE: "tariff_rate",
    TokenType.CLEAR_TAMPER: "pad",
    TokenType.WATER_FACTOR: "water_factor",
}
_REGISTERS: Final = ("electricity", "water", "gas", "time")

Facts = dict[str, Json]


def facts_of(decoded: DecodedToken, algorithm: Algorithm) -> Facts:
    """Name all fields of a token that was read; parts of a key are left out [STS-55, STS-56]."""
    token = decoded.token
    facts: Facts = {"type": token.kind.value, "name": token.kind.name, **_fields(token, algorithm)}
    if decoded.issued_at is not None:
        facts["issued_at"] = f"{decoded.issued_at:%Y-%m-%dT%H:%MZ}"
    return {**facts, "crc": f"{decoded.crc:04X}"}


def _fields(token: Token, algorithm: Algorithm) -> Facts:
    match token:
        case TimedToken():
            return {**effect_of(token), "nonce": token.nonce, "tid": token.tid}
        case CurrencyCredit():
            return {"amount": token.amount, "tid": token.tid}
        case MeterTest():
            return {"tests": list(tests_of(token)), "control": f"{token.control:X}", "manufacturer": token.manufacturer}
        case KeyChangePart():
            return {"section": token.section, **public_fields(token, algorithm)}
        case OpaqueToken():
            return {"body": f"{token.body:012X}"}


def effect_of(token: TimedToken) -> Facts:
    """Tell what a meter will add or set: one fact, in the unit of its name."""
    value = token.field if token.amount is None else token.amount
    return {_AMOUNTS[token.kind]: value if token.limit_w is None else token.limit_w}


def register_name(register: int) -> str:
    """Name a register of ``CLEAR_CREDIT`` [STS-25]."""
    if register == ALL_REGISTERS:
        return "all"
    if register >= 2 * len(_REGISTERS):
        return f"unknown register {register}"
    money = " in currency" if register >= len(_REGISTERS) else ""
    return f"{_REGISTERS[register % len(_REGISTERS)]}{money}"


def tests_of(token: MeterTest) -> Iterator[str]:
    """Name the tests of a test token, by the bits of its control."""
    if token.control == (1 << control_bits(token.kind)) - 1:
        yield "all"
        return
    for bit in range(control_bits(token.kind)):
        if token.control >> bit & 1:
            yield _TESTS[bit] if bit < len(_TESTS) else f"test {bit + 1}"


def change_facts(change: KeyChange, *, shows_secret: bool) -> Facts:
    """Name what a complete set of key change tokens says."""
    facts: Facts = {
        "new_key_fingerprint": change.key.fingerprint,
        "key_type": change.key_type,
        "key_revision": change.key_revision,
        "tariff_index": f"{change.tariff_index:02d}",
        "key_expiry": change.expiry,
        "rolls_over": change.rolls_over,
    }
    if change.supply_group is not None:
        facts["supply_group"] = f"{change.supply_group:06d}"
    return {**facts, "new_key": change.key.reveal()} if shows_secret else facts


def lines_of(facts: Facts) -> Iterator[str]:
    """Write facts for people, one a line."""
    for name, value in facts.items():
        shown = ", ".join(str(item) for item in value) if isinstance(value, list) else value
        yield f"  {name.replace('_', ' '):<20}{shown}"
