"""Grids and what stands on them."""

from __future__ import annotations

from dependency_injector import containers, providers

from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_domain.grids.use_cases.metering_hardware import DownloadPbgConnections, ReadConnectivity
from nxt_domain.grids.use_cases.read_grids import ReadGrids
from nxt_domain.grids.use_cases.update_grids import UpdateGrids
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_entrypoints.api.site_services import SiteServices


class Sites(containers.DeclarativeContainer):
    """Use cases of one area, over what the process's container lends it."""

    begin: providers.Dependency[UnitOfWorkFactory[SupabaseUnitOfWork]] = providers.Dependency()
    clock: providers.Dependency[Clock] = providers.Dependency()

    services = providers.Singleton(
        SiteServices,
        download_pbg_connections=providers.Singleton(DownloadPbgConnections, begin, clock),
        read_connectivity=providers.Singleton(ReadConnectivity, begin),
        read_grids=providers.Singleton(ReadGrids, begin),
        update_grids=providers.Singleton(UpdateGrids, begin),
    )
