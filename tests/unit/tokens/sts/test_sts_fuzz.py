"""Random and mutated tokens through the decoder: always a token or a named fault, in bounded time [STS-55]."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest
from tests.support.sts_vectors import keys, rows, timed_token

from nxt_domain.tokens.sts import DecoderKey, TokenFault, UnreadableToken, decode, encode

NIGHTLY = 1_000_000
LETTERS = "0123456789 -x٣\n"


@pytest.mark.parametrize(
    "count", [pytest.param(20_000, id="some"), pytest.param(NIGHTLY, id="a million", marks=pytest.mark.nightly)]
)
def test_sts_55_any_token_is_read_or_refused_by_name(count: int) -> None:
    """[STS-58] Random numbers, wrong keys, changed digits; about one in 65536 passes the checksum by chance."""
    dice = random.Random(count)
    known = [keys()[row["key"]].key for row in rows("timed")]
    digits = [row["token"] for row in rows("timed")]
    found: Counter[str] = Counter()
    slowest = 0.0
    for _ in range(count):
        text = _text(dice, digits)
        started = time.perf_counter()
        found[_outcome(text, None if dice.random() < 0.1 else dice.choice(known))] += 1
        slowest = max(slowest, time.perf_counter() - started)
    assert set(found) <= {fault.value for fault in TokenFault} | {"READ"}
    assert found["FORMAT"] > 0
    assert found["CRC"] > count / 4
    assert slowest < 1, "a text took a second"


def _text(dice: random.Random, digits: list[str]) -> str:
    """A random number, a text of any length, or a good token with a change or two."""
    kind = dice.random()
    if kind < 0.4:
        return f"{dice.randrange(2**67):020d}"
    if kind < 0.5:
        return "".join(dice.choices(LETTERS, k=dice.randrange(30)))
    letters = list(dice.choice(digits))
    for _ in range(dice.randrange(3)):
        letters[dice.randrange(20)] = dice.choice(LETTERS if dice.random() < 0.2 else "0123456789")
    return "".join(letters)


def _outcome(text: str, key: DecoderKey | None) -> str:
    try:
        decode(text, key, allows_unconfirmed=True)
    except UnreadableToken as refusal:
        return refusal.fault.value
    return "READ"


def test_sts_76_a_batch_of_ten_thousand() -> None:
    """[STS-76] In 10 s on one core, and none of them holds a loop up for 20 ms: each is a call of its own."""
    row = timed_token(rows("timed")[0])
    started = time.perf_counter()
    for number in range(10_000):
        encode(row, DecoderKey(number.to_bytes(8, "big")))
    assert time.perf_counter() - started < 10
