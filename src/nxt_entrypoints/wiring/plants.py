"""The plants' live data."""

from __future__ import annotations

from nxt_domain.telemetry.ports import PlantMonitor
from nxt_entrypoints.settings.settings import Settings


def plant_monitor(settings: Settings) -> PlantMonitor | None:
    """Build the MQTT subscriber; None: no plant is monitored in this deployment."""
    del settings
    return None
