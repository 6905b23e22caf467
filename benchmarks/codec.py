"""CALIN frames per second on one core, beside what the largest deployment needs.

The limit: 1,000,000 meters that report once an hour send 278 reports a second, and 2,000 messages a second through
the engine (DM-22) are as many encodings and decodings.

Run: ``python benchmarks/codec.py [seconds] [--json]``
"""

from __future__ import annotations

import time
from collections.abc import Callable

from _harness import Figure, Report, arguments, publish

from nxt_adapters.chirpstack.calin import UndecodableFrame, decode_uplink, encode_command
from nxt_domain.messaging.model import CommandType

METER = "47003333771"
TOKEN = "12345678901234567890"
REPORT = "aHE3MwNwBGiBI0T0MzNGRztZoeUzMzMze3QzMzMzMzMzM3Q0MzMzPIY6MzM7PBY="
CREDIT = "aHE3MwNwBGiBCFQXeFY0MzMzsRY="
BROKEN = "aHE3MwNwBGiBCFQXeFY0MzMzshY="
REPORTS_PER_S = 278
MESSAGES_PER_S = 2_000
BATCH = 1_000


def refuse() -> None:
    """Decode a frame with a broken checksum."""
    try:
        decode_uplink(BROKEN)
    except UndecodableFrame:
        return
    raise AssertionError("a broken frame was decoded")


CASES: list[tuple[str, Callable[[], object], int]] = [
    ("decode a periodic report", lambda: decode_uplink(REPORT), REPORTS_PER_S),
    ("decode a credit", lambda: decode_uplink(CREDIT), MESSAGES_PER_S),
    ("refuse a broken frame", refuse, MESSAGES_PER_S),
    ("encode a token", lambda: encode_command(METER, CommandType.TOP_UP_KWH, token=TOKEN), MESSAGES_PER_S),
    ("encode a read", lambda: encode_command(METER, CommandType.READ_CREDIT), MESSAGES_PER_S),
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
    publish(Report(benchmark="codec", figures=figures), as_json=wanted.json)


if __name__ == "__main__":
    main()
