"""Repositories of tenants' rows: made with a scope, or not at all [R39]."""

from __future__ import annotations

from functools import cached_property

from nxt_adapters.supabase.contract_register import (
    PostgresConnections,
    PostgresCustomers,
    PostgresRequestedMeters,
)
from nxt_adapters.supabase.gateway_register import PostgresGatewayRegister, PostgresInstallSessions
from nxt_adapters.supabase.grid_hardware import PostgresGridHardware
from nxt_adapters.supabase.grid_register import PostgresGridRegister
from nxt_adapters.supabase.grid_sales import PostgresGridSales
from nxt_adapters.supabase.infrastructure import PostgresInfrastructure
from nxt_adapters.supabase.issue_register import PostgresIssueRegister
from nxt_adapters.supabase.meter_register import PostgresMeterRegister
from nxt_adapters.supabase.note_register import PostgresNoteRegister
from nxt_adapters.supabase.people_register import PostgresPeopleRegister, PostgresTenantRegister
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.solar_chargers import PostgresSolarChargers
from nxt_domain.identity.scope import Scope


class TenantRepositories:
    """Everything that a scope holds on the relational plane; each context asks for its own part.

    Args:
        session: Of the unit of work.
        scope: Whose rows.
    """

    def __init__(self, session: Session, scope: Scope) -> None:
        self._session = session
        self._scope = scope

    @cached_property
    def connections(self) -> PostgresConnections:
        """Supply contracts."""
        return PostgresConnections(self._session, self._scope)

    @cached_property
    def customers(self) -> PostgresCustomers:
        """Customers."""
        return PostgresCustomers(self._session, self._scope)

    @cached_property
    def issues(self) -> PostgresIssueRegister:
        """Issues."""
        return PostgresIssueRegister(self._session, self._scope)

    @cached_property
    def meters(self) -> PostgresMeterRegister:
        """Meters."""
        return PostgresMeterRegister(self._session, self._scope)

    @cached_property
    def notes(self) -> PostgresNoteRegister:
        """Notes."""
        return PostgresNoteRegister(self._session, self._scope)

    @cached_property
    def requested_meters(self) -> PostgresRequestedMeters:
        """What supply contracts ask for."""
        return PostgresRequestedMeters(self._session, self._scope)

    @cached_property
    def gateways(self) -> PostgresGatewayRegister:
        """Gateways."""
        return PostgresGatewayRegister(self._session, self._scope)

    @cached_property
    def grid_hardware(self) -> PostgresGridHardware:
        """Meters and gateways on grids."""
        return PostgresGridHardware(self._session, self._scope)

    @cached_property
    def grids(self) -> PostgresGridRegister:
        """Grids."""
        return PostgresGridRegister(self._session, self._scope)

    @cached_property
    def people(self) -> PostgresPeopleRegister:
        """Members, agents and customers."""
        return PostgresPeopleRegister(self._session, self._scope)

    @cached_property
    def solar_chargers(self) -> PostgresSolarChargers:
        """Solar chargers."""
        return PostgresSolarChargers(self._session, self._scope)

    @cached_property
    def tenants(self) -> PostgresTenantRegister:
        """Organizations."""
        return PostgresTenantRegister(self._session, self._scope)

    @cached_property
    def infrastructure(self) -> PostgresInfrastructure:
        """What stands on grids."""
        return PostgresInfrastructure(self._session, self._scope)

    @cached_property
    def install_sessions(self) -> PostgresInstallSessions:
        """How gateways come and go."""
        return PostgresInstallSessions(self._session, self._scope)

    @cached_property
    def sales(self) -> PostgresGridSales:
        """Sales of grids."""
        return PostgresGridSales(self._session, self._scope)
