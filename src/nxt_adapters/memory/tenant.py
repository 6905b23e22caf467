"""Repositories of tenants' rows in memory."""

from __future__ import annotations

from functools import cached_property

from nxt_adapters.memory.contract_register import MemoryConnections, MemoryCustomers, MemoryRequestedMeters
from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.fieldwork import MemoryIssueRegister, MemoryNoteRegister
from nxt_adapters.memory.gateways import MemoryGatewayRegister, MemoryInstallSessions
from nxt_adapters.memory.grid_hardware import MemoryGridHardware
from nxt_adapters.memory.grid_register import MemoryGridRegister
from nxt_adapters.memory.grid_sales import MemoryGridSales
from nxt_adapters.memory.infrastructure import MemoryInfrastructure
from nxt_adapters.memory.meter_register import MemoryMeterRegister
from nxt_adapters.memory.people import MemoryPeopleRegister, MemoryTenantRegister
from nxt_adapters.memory.solar_chargers import MemorySolarChargers
from nxt_domain.identity.scope import Scope


class MemoryTenantRepositories:
    """What a scope holds, over one ``MemoryDatabase``.

    Args:
        database: Shared with the other fakes.
        scope: Whose rows.
    """

    def __init__(self, database: MemoryDatabase, scope: Scope) -> None:
        self._database = database
        self._scope = scope

    @cached_property
    def connections(self) -> MemoryConnections:
        """Supply contracts."""
        return MemoryConnections(self._database, self._scope)

    @cached_property
    def customers(self) -> MemoryCustomers:
        """Customers."""
        return MemoryCustomers(self._database, self._scope)

    @cached_property
    def issues(self) -> MemoryIssueRegister:
        """Issues."""
        return MemoryIssueRegister(self._database, self._scope)

    @cached_property
    def meters(self) -> MemoryMeterRegister:
        """Meters."""
        return MemoryMeterRegister(self._database, self._scope)

    @cached_property
    def notes(self) -> MemoryNoteRegister:
        """Notes."""
        return MemoryNoteRegister(self._database, self._scope)

    @cached_property
    def requested_meters(self) -> MemoryRequestedMeters:
        """What supply contracts ask for."""
        return MemoryRequestedMeters(self._database, self._scope)

    @cached_property
    def gateways(self) -> MemoryGatewayRegister:
        """Gateways."""
        return MemoryGatewayRegister(self._database, self._scope)

    @cached_property
    def grid_hardware(self) -> MemoryGridHardware:
        """Meters and gateways on grids."""
        return MemoryGridHardware(self._database, self._scope)

    @cached_property
    def grids(self) -> MemoryGridRegister:
        """Grids."""
        return MemoryGridRegister(self._database, self._scope)

    @cached_property
    def people(self) -> MemoryPeopleRegister:
        """Members, agents and customers."""
        return MemoryPeopleRegister(self._database, self._scope)

    @cached_property
    def solar_chargers(self) -> MemorySolarChargers:
        """Solar chargers."""
        return MemorySolarChargers(self._database, self._scope)

    @cached_property
    def tenants(self) -> MemoryTenantRegister:
        """Organizations."""
        return MemoryTenantRegister(self._database, self._scope)

    @cached_property
    def infrastructure(self) -> MemoryInfrastructure:
        """What stands on grids."""
        return MemoryInfrastructure(self._database, self._scope)

    @cached_property
    def install_sessions(self) -> MemoryInstallSessions:
        """How gateways come and go."""
        return MemoryInstallSessions(self._database, self._scope)

    @cached_property
    def sales(self) -> MemoryGridSales:
        """Sales of grids."""
        return MemoryGridSales(self._database, self._scope)
