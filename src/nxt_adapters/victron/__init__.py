"""Victron: what plants report over the vendor's MQTT brokers."""

from nxt_adapters.victron.mqtt import VictronPlantMonitor
from nxt_adapters.victron.settings import VictronMqttSettings

__all__ = ["VictronMqttSettings", "VictronPlantMonitor"]
