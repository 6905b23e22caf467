"""Random and mutated frames through the decoder: always an answer or a named fault, in bounded time [DM-80]."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from nxt_adapters.chirpstack.calin import FrameFault, UndecodableFrame, decode_frame

NIGHTLY = 1_000_000
GOOD = [
    bytes.fromhex(text)
    for text in (
        "687137330370046881085417785634333333B116",
        "6871373303700468810644E933BA5C355416",
        "6871373303700468810664E9674833330B16",
        "6871373303700468810456E958377516",
        "6871373303700468810643F333483659E916",
        "6871373303700468810544F3386347C116",
        "6871373303700468800133D616",
        "6871373303700468C401351C16",
        "6871373303700468C101341816",
        "0001000100660009C401C1000600001388",
        "687137330370046881 2344F4333346473B59A1E5333333337B74333333333333333374343333333C863A33333B3C16",
    )
]


@pytest.mark.parametrize(
    "count", [pytest.param(20_000, id="some"), pytest.param(NIGHTLY, id="a million", marks=pytest.mark.nightly)]
)
def test_dm_80_any_bytes_are_read_or_refused_by_name(count: int) -> None:
    """[DM-82] Random bytes, changed frames, and changed frames whose checksum is right again."""
    dice = random.Random(count)
    found: Counter[str] = Counter()
    slowest = 0.0
    for _ in range(count):
        raw = _frame(dice)
        started = time.perf_counter()
        found[_outcome(raw)] += 1
        slowest = max(slowest, time.perf_counter() - started)
    assert set(found) <= {fault.value for fault in FrameFault} | {"read"}
    assert {"read", "checksum", "start", "too_short", "bcd"} <= set(found)
    assert slowest < 1, "a frame took a second"


def _frame(dice: random.Random) -> bytes:
    kind = dice.random()
    if kind < 0.2:
        return dice.randbytes(dice.randrange(60))
    raw = bytearray(dice.choice(GOOD))
    for _ in range(dice.randrange(4)):
        raw[dice.randrange(len(raw))] = dice.randrange(256)
    if kind < 0.4:
        del raw[dice.randrange(len(raw)) :]
    elif kind < 0.5:
        raw += dice.randbytes(dice.randrange(600))
    elif kind < 0.8:
        raw[-2] = sum(raw[:-2]) % 256
    return bytes(raw)


def _outcome(raw: bytes) -> str:
    try:
        decode_frame(raw)
    except UndecodableFrame as refusal:
        return refusal.reason
    return "read"
