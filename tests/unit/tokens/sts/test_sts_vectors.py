"""All vectors of the token specification, section 19: made, and read back."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.support.sts_vectors import KeyVector, keys, rows, timed_token

from nxt_domain.tokens.sts import (
    BaseDate,
    KeyChangePart,
    MeterTest,
    TokenType,
    decode,
    decode_key_change,
    encode,
    key_change_tokens,
)
from nxt_domain.tokens.sts.key_change import key_change_parts

DERIVED = [key for key in keys().values() if key.is_derived]
TIMED, KEY_CHANGES, CLASS_1 = rows("timed"), rows("key_changes"), rows("class_1")


def test_sts_77_there_are_241_of_them() -> None:
    assert (len(TIMED), len(KEY_CHANGES), len(CLASS_1)) == (189, 34, 18)
    assert len(keys()) == 38


@pytest.mark.parametrize("vector", DERIVED, ids=lambda vector: vector.row["id"])
def test_sts_78_keys_are_derived(vector: KeyVector) -> None:
    """[STS-52, STS-54]"""
    assert vector.derive() == vector.key


@pytest.mark.parametrize("row", TIMED, ids=lambda row: row["token"])
def test_sts_79_tokens_with_a_minute(row: Mapping[str, str]) -> None:
    """[STS-58] Made digit by digit, and read back field by field."""
    key, token = keys()[row["key"]].key, timed_token(row)
    assert encode(token, key) == row["token"]
    assert decode(row["token"], key, BaseDate(int(row["base"]))).token == token


@pytest.mark.parametrize("row", KEY_CHANGES, ids=lambda row: row["token"])
def test_sts_80_key_change_tokens(row: Mapping[str, str]) -> None:
    """[STS-80, STS-36, STS-37]"""
    old, new = keys()[row["old"]].with_expiry(255), keys()[row["new"]].with_expiry(int(row["ken"]))
    with_group = row["three"] == "1"
    section = int(row["section"])
    assert key_change_tokens(old, new, with_supply_group=with_group)[section - 1] == row["token"]
    read = decode(row["token"], old.key).token
    assert isinstance(read, KeyChangePart)
    assert read == key_change_parts(old, new, with_supply_group=with_group)[section - 1]


@pytest.mark.parametrize("row", KEY_CHANGES, ids=lambda row: row["token"])
def test_sts_38_the_roll_over_flag_follows_the_base_date(row: Mapping[str, str]) -> None:
    old, new = keys()[row["old"]].with_expiry(255), keys()[row["new"]].with_expiry(int(row["ken"]))
    tokens = key_change_tokens(old, new, with_supply_group=row["three"] == "1")
    change = decode_key_change(reversed(tokens), old.key)
    assert change.rolls_over is (row["ro"] == "1")
    assert change.key == new.key
    assert (change.expiry, change.key_revision) == (new.expiry, new.parameters.key_revision)
    assert change.tariff_index == int(new.parameters.tariff_index)
    assert change.supply_group in {None, int(new.parameters.supply_group)}


@pytest.mark.parametrize("row", CLASS_1, ids=lambda row: row["token"])
def test_sts_81_test_tokens(row: Mapping[str, str]) -> None:
    """[STS-81]"""
    kind = TokenType.TEST_SHORT if row["subclass"] == "0" else TokenType.TEST_LONG
    token = MeterTest(kind=kind, control=int(row["control"], 16), manufacturer=int(row["manufacturer"]))
    assert encode(token) == row["token"]
    assert decode(row["token"]).token == token
