"""Customers, contracts, meters, issues and notes."""

from __future__ import annotations

from dependency_injector import containers, providers

from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_domain.fieldwork.use_cases.read_fieldwork import ReadFieldwork
from nxt_domain.grids.use_cases.contracts import (
    ChangeConnections,
    CreateConnection,
    ReadContracts,
    ReviseRequestedMeters,
)
from nxt_domain.meters.register import ReadMeters, SearchMeter
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_entrypoints.api.register_services import RegisterServices


class Registers(containers.DeclarativeContainer):
    """Use cases of one area, over what the process's container lends it."""

    begin: providers.Dependency[UnitOfWorkFactory[SupabaseUnitOfWork]] = providers.Dependency()
    begin_reading: providers.Dependency[UnitOfWorkFactory[SupabaseUnitOfWork]] = providers.Dependency(default=begin)

    services = providers.Singleton(
        RegisterServices,
        create_connection=providers.Singleton(CreateConnection, begin),
        change_connections=providers.Singleton(ChangeConnections, begin),
        revise_requested_meters=providers.Singleton(ReviseRequestedMeters, begin),
        read_contracts=providers.Singleton(ReadContracts, begin_reading),
        read_fieldwork=providers.Singleton(ReadFieldwork, begin_reading),
        read_meters=providers.Singleton(ReadMeters, begin_reading),
        search_meter=providers.Singleton(SearchMeter, begin_reading),
    )
