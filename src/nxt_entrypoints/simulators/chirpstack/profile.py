"""How much a customer draws through the day: peaks in the morning and the evening, and noise."""

import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo

MEAN_LOAD_W = 35.0
SLOT = timedelta(minutes=5)

# Shape of a village household's day, by local hour; scaled below to a mean of 1.
_SHAPE = (
    0.35, 0.30, 0.30, 0.30, 0.45, 0.90, 1.50, 1.45, 0.90, 0.65, 0.60, 0.65,
    0.75, 0.80, 0.75, 0.75, 0.90, 1.30, 2.10, 2.60, 2.40, 1.80, 1.10, 0.60,
)  # fmt: skip
_CURVE = tuple(value * len(_SHAPE) / sum(_SHAPE) for value in _SHAPE)


def day_factor(local: datetime) -> float:
    """Return the load at a local time relative to the day's mean, interpolated between hours."""
    within = (local.minute + local.second / 60) / 60
    return _CURVE[local.hour] * (1 - within) + _CURVE[(local.hour + 1) % 24] * within


def noise(seed: int, key: str, slot: int) -> float:
    """Return a factor between 0.6 and 1.4 that is the same for the same seed, key and slot."""
    return 0.6 + 0.8 * zlib.crc32(f"{seed}:{key}:{slot}".encode()) / 0xFFFFFFFF


def load_mw(*, at: datetime, zone: tzinfo, scale: float, seed: int, key: str) -> int:
    """Return the demand in the 5-minute slot that contains the instant, in milliwatts."""
    slot = int(at.timestamp() // SLOT.total_seconds())
    start = datetime.fromtimestamp(slot * SLOT.total_seconds(), zone)
    return int(1000 * MEAN_LOAD_W * scale * day_factor(start) * noise(seed, key, slot))


def slots(start: datetime, end: datetime) -> Iterator[tuple[datetime, timedelta]]:
    """Cut a stretch of time at the slots' borders; yields (start, length) of each piece."""
    at = start
    seconds = SLOT.total_seconds()
    while at < end:
        border = datetime.fromtimestamp((at.timestamp() // seconds + 1) * seconds, at.tzinfo)
        upto = min(border, end)
        yield at, upto - at
        at = upto
