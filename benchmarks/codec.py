"""CALIN frames and STS tokens per second on one core, beside what the largest deployment needs.

The limit: 1,000,000 meters that report once an hour send 278 reports a second, and 2,000 messages a second through
the engine (DM-22) are as many encodings and decodings. The goal is another one: 125,000 decodings a second of a mix of
answers, about half of what a good decoder in JavaScript does.
Tokens: a batch of 10,000 has 10 s (STS-76); every one of another meter, whose key is set up first.

Run: ``python benchmarks/codec.py [seconds] [--json]``
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count, cycle

from _harness import Figure, Report, arguments, publish

from nxt_adapters.chirpstack.calin import UndecodableFrame, decode_uplink, encode_command
from nxt_domain.messaging.model import CommandType
from nxt_domain.tokens.sts import BaseDate, DecoderKey, TimedToken, TokenType, decode, encode, encode_kwh, tid_of

METER = "47003333771"
TOKEN = "12345678901234567890"
REPORT = "aHE3MwNwBGiBI0T0MzNGRztZoeUzMzMze3QzMzMzMzMzM3Q0MzMzPIY6MzM7PBY="
CREDIT = "aHE3MwNwBGiBCFQXeFY0MzMzsRY="
BROKEN = "aHE3MwNwBGiBCFQXeFY0MzMzshY="
REPORTS_PER_S = 278
DECODES_PER_S = 125_000
MESSAGES_PER_S = 2_000
TOKENS_PER_S = 1_000
BATCH = 1_000
STA_KEY = DecoderKey.parse("0123456789ABCDEF")
MISTY1_KEY = DecoderKey.parse("00112233445566778899AABBCCDDEEFF")
ISSUED_AT = datetime(2026, 3, 15, 10, 30, tzinfo=UTC)
ENERGY_KWH = Decimal("12.5")
meters = count(1)


# As a village answers: reports, credits, voltages, accepted tokens, power limits.
MIX = cycle(
    (
        REPORT,
        CREDIT,
        "aHE3MwNwBGiBBkTpM7pcNVQW",
        "aHE3MwNwBGiAATPWFg==",
        "AAEAAQBmAAnEAcEABgAAE4g=",
    )
)


def refuse() -> None:
    """Decode a frame with a broken checksum."""
    try:
        decode_uplink(BROKEN)
    except UndecodableFrame:
        return
    raise AssertionError("a broken frame was decoded")


def issue(key: DecoderKey) -> str:
    """Make one credit token, from its time and energy."""
    tid, field = tid_of(ISSUED_AT, BaseDate.Y2014), encode_kwh(ENERGY_KWH)
    return encode(TimedToken(kind=TokenType.CREDIT_ELECTRICITY, nonce=3, tid=tid, field=field), key)


STA_TOKEN, MISTY1_TOKEN = issue(STA_KEY), issue(MISTY1_KEY)

CASES: list[tuple[str, Callable[[], object], int]] = [
    ("decode a periodic report", lambda: decode_uplink(REPORT), REPORTS_PER_S),
    ("decode a credit", lambda: decode_uplink(CREDIT), MESSAGES_PER_S),
    ("refuse a broken frame", refuse, MESSAGES_PER_S),
    ("encode a token", lambda: encode_command(METER, CommandType.TOP_UP_KWH, token=TOKEN), MESSAGES_PER_S),
    ("encode a read", lambda: encode_command(METER, CommandType.READ_CREDIT), MESSAGES_PER_S),
    ("token, EA 07, another meter each", lambda: issue(DecoderKey(next(meters).to_bytes(8, "big"))), TOKENS_PER_S),
    ("token, EA 07, one meter", lambda: issue(STA_KEY), TOKENS_PER_S),
    ("token, EA 11, one meter", lambda: issue(MISTY1_KEY), TOKENS_PER_S),
    ("read a token, EA 07", lambda: decode(STA_TOKEN, STA_KEY), TOKENS_PER_S),
    ("read a token, EA 11", lambda: decode(MISTY1_TOKEN, MISTY1_KEY), TOKENS_PER_S),
]


def rate(call: Callable[[], object], seconds: float) -> float:
    """Return calls per second of the best of five runs."""
    best = 0.0
    for _ in range(5):
        done, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds / 5:
            for _ in range(BATCH):
                call()
            done += BATCH
        best = max(best, done / (time.perf_counter() - started))
    return best


def main() -> None:
    """Print one line per case: ours, the need, the ratio."""
    parser = arguments(__doc__)
    parser.add_argument("seconds", nargs="?", type=float, default=2.0, help="per case (default: 2)")
    wanted = parser.parse_args()
    figures = [
        Figure(case=name, ours=rate(call, wanted.seconds), unit="/s", beside="needed", value=needed)
        for name, call, needed in CASES
    ]
    goal = rate(lambda: decode_uplink(next(MIX)), wanted.seconds)
    figures.insert(0, Figure(case="decode a mix", ours=goal, unit="/s", beside="goal", value=DECODES_PER_S))
    publish(Report(benchmark="codec", figures=figures), as_json=wanted.json)


if __name__ == "__main__":
    main()
