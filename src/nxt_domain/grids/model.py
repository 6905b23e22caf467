"""A grid as the rest of the system needs to know it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import attrs


class CommunicationProtocol(StrEnum):
    """How a meter or gateway is reached."""

    CALIN_V1 = "CALIN_V1"
    CALIN_V2 = "CALIN_V2"
    CALIN_LORAWAN = "CALIN_LORAWAN"


class Weather(StrEnum):
    """What the sky over a grid looks like."""

    CLOUDY = "CLOUDY"
    CLOUDS = "CLOUDS"
    SHOWERS = "SHOWERS"
    SUNNY = "SUNNY"
    UNKNOWN = "UNKNOWN"
    CLOUDY_WITH_RAIN = "CLOUDY_WITH_RAIN"


class MeterPhase(StrEnum):
    """How many phases a meter measures."""

    SINGLE_PHASE = "SINGLE_PHASE"
    THREE_PHASE = "THREE_PHASE"


@attrs.frozen(kw_only=True)
class Gateway:
    """A data concentrator or LoRaWAN gateway (table ``dcus``)."""

    id: int
    external_reference: str
    communication_protocol: CommunicationProtocol | None
    is_online: bool


@attrs.frozen(kw_only=True)
class GridTwin:
    """What is known of a grid's power and gateways right now; the telemetry role keeps its rows current [R26].

    Attributes:
        is_energised: Whether there is power, as far as our own generation tells [MET-67].
    """

    grid_id: int
    is_energised: bool
    gateways: Sequence[Gateway] = ()

    @property
    def is_any_lorawan_gateway_online(self) -> bool:
        """Whether the grid's radio network can be reached."""
        return any(
            gateway.is_online and gateway.communication_protocol is CommunicationProtocol.CALIN_LORAWAN
            for gateway in self.gateways
        )

    def gateway(self, gateway_id: int | None) -> Gateway | None:
        """Find one of the grid's gateways by our id."""
        return next((gateway for gateway in self.gateways if gateway.id == gateway_id), None)


def is_energised(*, is_generation_managed: bool, is_hps_on: bool) -> bool:
    """Decide whether a grid has power: only where we run the generation can we know that it has none [MET-67]."""
    return is_hps_on if is_generation_managed else True
