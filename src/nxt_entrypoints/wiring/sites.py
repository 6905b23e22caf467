"""Grids and what stands on them."""

from __future__ import annotations

from dependency_injector import containers, providers

from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_domain.grids.gateway_ports import HardwareImports
from nxt_domain.grids.sensors import TakeSensorEvent
from nxt_domain.grids.solar_ports import SiteDevices
from nxt_domain.grids.use_cases.assign_gateways import GatewayInstalls
from nxt_domain.grids.use_cases.gateways import ReadGateways, StockGateway, UpdateGateways
from nxt_domain.grids.use_cases.metering_hardware import DownloadPbgConnections, ReadConnectivity
from nxt_domain.grids.use_cases.read_grids import ReadGrids
from nxt_domain.grids.use_cases.read_infrastructure import ReadInfrastructure
from nxt_domain.grids.use_cases.sync_solar_chargers import SyncSolarChargers
from nxt_domain.grids.use_cases.update_grids import UpdateGrids
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.job_leases import JobLeases
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_entrypoints.api.sensor_events import ReadingReceiver, SensorEvents
from nxt_entrypoints.api.site_services import SiteServices
from nxt_entrypoints.api.solar_sync import SolarSync
from nxt_entrypoints.background import Background


class Sites(containers.DeclarativeContainer):
    """Use cases of one area, over what the process's container lends it."""

    begin: providers.Dependency[UnitOfWorkFactory[SupabaseUnitOfWork]] = providers.Dependency()
    begin_reading: providers.Dependency[UnitOfWorkFactory[SupabaseUnitOfWork]] = providers.Dependency(default=begin)
    clock: providers.Dependency[Clock] = providers.Dependency()
    background: providers.Dependency[Background] = providers.Dependency()
    job_leases: providers.Dependency[JobLeases] = providers.Dependency()
    operations_app: providers.Dependency[str] = providers.Dependency()
    provisioning_role: providers.Dependency[HardwareImports] = providers.Dependency()
    sensor_readings: providers.Dependency[ReadingReceiver] = providers.Dependency()
    site_devices: providers.Dependency[SiteDevices] = providers.Dependency()

    services = providers.Singleton(
        SiteServices,
        sensor_events=providers.Singleton(
            SensorEvents, providers.Singleton(TakeSensorEvent, begin), sensor_readings, background
        ),
        download_pbg_connections=providers.Singleton(DownloadPbgConnections, begin, clock),
        gateway_installs=providers.Singleton(
            GatewayInstalls, begin=begin, imports=provisioning_role, clock=clock, app=operations_app
        ),
        read_connectivity=providers.Singleton(ReadConnectivity, begin_reading),
        read_grids=providers.Singleton(ReadGrids, begin_reading),
        solar_sync=providers.Singleton(
            SolarSync,
            providers.Singleton(SyncSolarChargers, begin=begin, devices=site_devices, leases=job_leases, clock=clock),
            background,
        ),
        read_infrastructure=providers.Singleton(ReadInfrastructure, begin_reading),
        read_gateways=providers.Singleton(ReadGateways, begin_reading),
        stock_gateway=providers.Singleton(StockGateway, begin),
        update_gateways=providers.Singleton(UpdateGateways, begin),
        update_grids=providers.Singleton(UpdateGrids, begin),
    )
