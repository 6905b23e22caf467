"""Use cases behind the routes of grids and what stands on them."""

from __future__ import annotations

import attrs

from nxt_domain.grids.use_cases.assign_gateways import GatewayInstalls
from nxt_domain.grids.use_cases.gateways import ReadGateways, StockGateway, UpdateGateways
from nxt_domain.grids.use_cases.metering_hardware import DownloadPbgConnections, ReadConnectivity
from nxt_domain.grids.use_cases.read_grids import ReadGrids
from nxt_domain.grids.use_cases.read_infrastructure import ReadInfrastructure
from nxt_domain.grids.use_cases.update_grids import UpdateGrids
from nxt_entrypoints.api.sensor_events import SensorEvents
from nxt_entrypoints.api.solar_sync import SolarSync


@attrs.frozen(kw_only=True)
class SiteServices:
    """Ready to be called; ``nxt_entrypoints.wiring.sites`` makes it."""

    download_pbg_connections: DownloadPbgConnections
    gateway_installs: GatewayInstalls
    read_connectivity: ReadConnectivity
    read_gateways: ReadGateways
    read_grids: ReadGrids
    read_infrastructure: ReadInfrastructure
    sensor_events: SensorEvents
    solar_sync: SolarSync
    stock_gateway: StockGateway
    update_gateways: UpdateGateways
    update_grids: UpdateGrids
