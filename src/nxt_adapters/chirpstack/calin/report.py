"""The periodic report that meters send of their own accord [DM 9.5]."""

from __future__ import annotations

import math
import struct
from decimal import Decimal

from nxt_adapters.chirpstack.calin.frames import Frame
from nxt_domain.shared.json import Json

MINIMUM_BYTES = 47
_STATUS_BITS = (
    "relayOpen",
    "batteryLow",
    "magneticInterference",
    "terminalCoverOpen",
    "coverOpen",
    "source2Activated",
    "currentReverse",
    "currentUnbalance",
)


def read_report(frame: Frame) -> dict[str, Json]:
    """Read a report's values [DM-89].

    Returns:
        ``freezeTime`` (meter-local ``YYYY-MM-DD hh:mm``, no zone), counters and credits in kWh, ``intervalDemand`` as
        is, ``voltage`` in V, ``current`` in A, ``meterStatus``. Counters are exact decimals; credits are the exact
        doubles of the single-precision numbers on the wire, None when not finite [DM-90].
    """
    return {
        "freezeTime": _freeze_time(frame),
        "consumptionSource1": Decimal(frame.unsigned(18, 22)).scaleb(-2),
        "purchaseRemainSource1": _single(frame.values(22, 26)),
        "consumptionSource2": Decimal(frame.unsigned(26, 30)).scaleb(-2),
        "purchaseRemainSource2": _single(frame.values(30, 34)),
        "intervalDemand": frame.unsigned(34, 38),
        "voltage": Decimal(frame.unsigned(38, 40)).scaleb(-1),
        "current": Decimal(frame.unsigned(40, 44)).scaleb(-3),
        "meterStatus": _status(frame.unsigned(44, 45)),
    }


def _freeze_time(frame: Frame) -> str:
    minute, hour, day, month, year = (frame.two_digits(position) for position in range(13, 18))
    return f"20{year}-{month}-{day} {hour}:{minute}"


def _single(content: bytes) -> float | None:
    value: float = struct.unpack("<f", content)[0]
    return value if math.isfinite(value) else None


def _status(bits: int) -> dict[str, Json]:
    return {name: bool(bits >> place & 1) for place, name in enumerate(_STATUS_BITS)}
