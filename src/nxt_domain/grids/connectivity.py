"""How much of a grid's metering hardware can be reached [API-93, MET-201]."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import attrs


@attrs.frozen(kw_only=True)
class HardwareFacts:
    """What is counted.

    Attributes:
        meters: Meters whose customer lives on the grid.
        reachable_meters: Those among them whose gateway is online.
        online: References of the grid's gateways that are online.
        offline: References of the others.
    """

    meters: int
    reachable_meters: int
    online: Sequence[str]
    offline: Sequence[str]


@attrs.frozen(kw_only=True)
class MeterShares:
    """Proportions of all meters, truncated to two places (not percent, whatever the names say)."""

    online_pct: Decimal
    offline_pct: Decimal


@attrs.frozen(kw_only=True)
class GatewayLists:
    """References of gateways."""

    online: Sequence[str]
    offline: Sequence[str]


@attrs.frozen(kw_only=True)
class HardwareConnectivity:
    """What dashboards show of a grid's meters and gateways."""

    meters: MeterShares
    dcus: GatewayLists


def connectivity(facts: HardwareFacts) -> HardwareConnectivity:
    """Turn counts into what dashboards show."""
    lost = facts.meters - facts.reachable_meters
    return HardwareConnectivity(
        meters=MeterShares(
            online_pct=share(facts.reachable_meters, facts.meters), offline_pct=share(lost, facts.meters)
        ),
        dcus=GatewayLists(online=facts.online, offline=facts.offline),
    )


def share(part: int, whole: int) -> Decimal:
    """Return ``part`` of ``whole``, truncated to two places; 0 of nothing."""
    return Decimal(100 * part // whole).scaleb(-2) if whole else Decimal(0)
