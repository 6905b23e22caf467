"""The plants' live data, and what VRM knows of them."""

from __future__ import annotations

from pathlib import Path

from redis.asyncio import Redis

from nxt_adapters.redis.budget import SharedBudget
from nxt_adapters.victron.budget import Budget, LocalBudget
from nxt_adapters.victron.mqtt import VictronPlantMonitor
from nxt_adapters.victron.settings import DEFAULT_URL, VictronMqttSettings
from nxt_adapters.victron.vrm import VrmApi, VrmSettings
from nxt_domain.shared.clock import Clock
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


def vrm_budget(settings: Settings, valkey: Redis) -> SharedBudget:
    """Share the vendor's patience between all roles [TEL-47]."""
    per_second = settings.number("VRM_REQUESTS_PER_SECOND")
    return SharedBudget(valkey, "vrm", per_second, alone=LocalBudget(per_second))


def vrm_api(settings: Settings, budget: Budget, clock: Clock) -> VrmApi:
    """Build the client of VRM's REST API; without an address each call fails, and all else works."""
    return VrmApi(
        VrmSettings(
            url=settings.text_or_none("VICTRON_API_URL") or "",
            username=settings.text_or_none("VICTRON_USERNAME") or "",
            password=settings.text_or_none("VICTRON_PASSWORD") or "",
            token=settings.text_or_none("VICTRON_API_TOKEN") or "",
        ),
        budget,
        clock,
    )
