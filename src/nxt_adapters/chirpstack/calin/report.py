"""The periodic report that meters send of their own accord [DM 9.5]."""

from __future__ import annotations

import math
import struct
from decimal import Decimal

from nxt_adapters.chirpstack.calin.frames import Frame
from nxt_domain.shared.json import Json

MINIMUM_BYTES = 47
_FIRST, _LAST = 12, 45
_NUMBERS_AT = 6
_LAYOUT = struct.Struct("<IfIfIHIB")
"""Counter and credit of both sources, demand, voltage, current, status."""
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
    # One pass over the offset and one over the layout: a million meters report every hour.
    content = frame.values(_FIRST, _LAST)
    used_1, left_1, used_2, left_2, demand, voltage, current, status = _LAYOUT.unpack_from(content, _NUMBERS_AT)
    return {
        "freezeTime": _freeze_time(content[1:_NUMBERS_AT].hex()),
        "consumptionSource1": Decimal(used_1).scaleb(-2),
        "purchaseRemainSource1": left_1 if math.isfinite(left_1) else None,
        "consumptionSource2": Decimal(used_2).scaleb(-2),
        "purchaseRemainSource2": left_2 if math.isfinite(left_2) else None,
        "intervalDemand": demand,
        "voltage": Decimal(voltage).scaleb(-1),
        "current": Decimal(current).scaleb(-3),
        "meterStatus": _STATUS[status].copy(),
    }


def _freeze_time(digits: str) -> str:
    """Write minute, hour, day, month and year, two digits each as they stand, in people's order [DM-85]."""
    return f"20{digits[8:]}-{digits[6:8]}-{digits[4:6]} {digits[2:4]}:{digits[:2]}"


def _status(bits: int) -> dict[str, Json]:
    return {name: bool(bits >> place & 1) for place, name in enumerate(_STATUS_BITS)}


_STATUS = tuple(_status(bits) for bits in range(256))
