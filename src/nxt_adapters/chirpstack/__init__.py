"""ChirpStack v4, the LoRaWAN network server, and the CALIN meters behind it."""

from nxt_adapters.chirpstack.ingress import ChirpStackIngress, Ingested, IngressMetrics
from nxt_adapters.chirpstack.network_server import ChirpStackIntake, ChirpStackNetworkServer
from nxt_adapters.chirpstack.provisioning import (
    ChirpStackGateways,
    ChirpStackMeterRegistry,
    Registration,
    RegistrationFailed,
)
from nxt_adapters.chirpstack.rpc import ChirpStackApi, GatewayPresence
from nxt_adapters.chirpstack.settings import (
    DEFAULT_POLICY,
    PLUGIN_ID,
    ChirpStackSettings,
    RegistrationSettings,
    is_switched_on,
)

__all__ = [
    "DEFAULT_POLICY",
    "PLUGIN_ID",
    "ChirpStackApi",
    "ChirpStackGateways",
    "ChirpStackIngress",
    "ChirpStackIntake",
    "ChirpStackMeterRegistry",
    "ChirpStackNetworkServer",
    "ChirpStackSettings",
    "GatewayPresence",
    "Ingested",
    "IngressMetrics",
    "Registration",
    "RegistrationFailed",
    "RegistrationSettings",
    "is_switched_on",
]
