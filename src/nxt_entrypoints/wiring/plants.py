"""The plants' live data."""

from __future__ import annotations

from pathlib import Path

from nxt_adapters.victron.mqtt import VictronPlantMonitor
from nxt_adapters.victron.settings import DEFAULT_URL, VictronMqttSettings
from nxt_domain.telemetry.ports import PlantMonitor
from nxt_entrypoints.settings.settings import Settings


def plant_monitor(settings: Settings) -> PlantMonitor | None:
    """Build the MQTT subscriber; None: no plant is monitored in this deployment."""
    production = settings.artifact.capabilities.production
    if not production.enabled or production.energy_monitoring is None:
        return None
    ca_file = settings.text_or_none("VICTRON_MQTT_CA_FILE")
    return VictronPlantMonitor(
        VictronMqttSettings(
            url=settings.text_or_none("VICTRON_MQTT_URL") or DEFAULT_URL,
            port=settings.integer("VICTRON_MQTT_PORT") if settings.has("VICTRON_MQTT_PORT") else None,
            username=settings.text_or_none("VICTRON_USERNAME") or "",
            password=settings.text_or_none("VICTRON_PASSWORD") or "",
            token=settings.text_or_none("VICTRON_API_TOKEN") or "",
            ca_file=None if ca_file is None else Path(ca_file),
        )
    )
