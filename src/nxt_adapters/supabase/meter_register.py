"""Meters as people list and search them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Select, select

from nxt_adapters.supabase.scoping import GRID, columns_of, kind_of, owned, page_of, pages_of_all, pages_within
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.tables import (
    accounts,
    connections,
    customers,
    dcus,
    grids,
    meter_commissionings,
    metering_hardware_imports,
    metering_hardware_install_sessions,
    meters,
    organizations,
    wallets,
)
from nxt_adapters.supabase.written import Read
from nxt_domain.identity.scope import Scope
from nxt_domain.meters.views import (
    FoundAccount,
    FoundCommissioning,
    FoundConnection,
    FoundCustomer,
    FoundGateway,
    FoundGrid,
    FoundImport,
    FoundInstallSession,
    FoundMeter,
    FoundOrganization,
    FoundWallet,
    MeterView,
)
from nxt_domain.shared.paging import Page, Window

METER = columns_of(meters, MeterView)

_sessions, _imports, _commissionings = (
    metering_hardware_install_sessions,
    metering_hardware_imports,
    meter_commissionings,
)
_FOUND = {
    "wallet_": (wallets, FoundWallet),
    "dcu_": (dcus, FoundGateway),
    "grid_": (grids, FoundGrid),
    "organization_": (organizations, FoundOrganization),
    "account_": (accounts, FoundAccount),
    "import_": (_imports, FoundImport),
    "commissioning_": (_commissionings, FoundCommissioning),
}
_SEARCH = (
    select(
        *columns_of(meters, FoundMeter),
        connections.c.id.label("connection_id"),
        customers.c.id.label("customer_id"),
        _sessions.c.id.label("session_id"),
        *(column for prefix, (table, view) in _FOUND.items() for column in columns_of(table, view, prefix=prefix)),
    )
    .select_from(meters)
    .join(connections, connections.c.id == meters.c.connection_id)
    .join(customers, customers.c.id == connections.c.customer_id)
    .join(accounts, accounts.c.id == customers.c.account_id)
    .join(grids, grids.c.id == customers.c.grid_id)
    .join(organizations, organizations.c.id == grids.c.organization_id)
    .join(_sessions, _sessions.c.id == meters.c.last_metering_hardware_install_session_id)
    .join(_commissionings, _commissionings.c.id == _sessions.c.last_meter_commissioning_id)
    .outerjoin(_imports, _imports.c.id == _sessions.c.last_metering_hardware_import_id)
    .outerjoin(wallets, wallets.c.meter_id == meters.c.id)
    .outerjoin(dcus, dcus.c.id == meters.c.dcu_id)
    .where(meters.c.deleted_at.is_(None), _commissionings.c.meter_commissioning_status == "SUCCESSFUL")
    .order_by(meters.c.id)
    .limit(1)
)


class PostgresMeterRegister:
    """``MeterRegister`` on the relational plane.

    Args:
        session: Of the unit of work.
        scope: Whose meters.
    """

    def __init__(self, session: Session, scope: Scope) -> None:
        self._session = session
        self._scope = scope

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[MeterView]:
        """See ``MeterRegister.page``."""
        read = _pages(kind_of(self._scope), of_grid=grid_id is not None)
        return await page_of(self._session, read, self._scope, window, _listed, grid_id=grid_id)


@cache
def _pages(scope: Scope, *, of_grid: bool) -> Read:
    is_own = owned(scope, meters.c.rls_organization_id)
    query: Select[Any] = select(*METER).where(is_own, meters.c.deleted_at.is_(None))
    if of_grid:
        return pages_within(query, meters.c.rls_grid_id, GRID, meters.c.id)
    return pages_of_all(query, scope, meters)


class PostgresMeterSearch:
    """``MeterSearch`` on the relational plane.

    Args:
        session: Of the unit of work.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def find(self, external_reference: str) -> FoundMeter | None:
        """See ``MeterSearch.find``."""
        query = _SEARCH.where(meters.c.external_reference == external_reference)
        row = (await self._session.execute(query)).mappings().one_or_none()
        return None if row is None else _found(dict(row))


def _listed(row: Mapping[str, Any]) -> MeterView:
    return MeterView(**row)


def _found(row: dict[str, Any]) -> FoundMeter:
    part = {prefix: _take(row, prefix) for prefix in _FOUND}
    grid = FoundGrid(**part["grid_"], organization=FoundOrganization(**part["organization_"]))
    customer = FoundCustomer(id=row.pop("customer_id"), account=FoundAccount(**part["account_"]), grid=grid)
    wallet, gateway, registration = part["wallet_"], part["dcu_"], part["import_"]
    status = registration["metering_hardware_import_status"]
    return FoundMeter(
        connection=FoundConnection(id=row.pop("connection_id"), customer=customer),
        last_metering_hardware_install_session=FoundInstallSession(
            id=row.pop("session_id"),
            last_metering_hardware_import=None if status is None else FoundImport(**registration),
            last_meter_commissioning=FoundCommissioning(**part["commissioning_"]),
        ),
        wallet=None if wallet["id"] is None else FoundWallet(**wallet),
        dcu=None if gateway["id"] is None else FoundGateway(**gateway),
        **row,
    )


def _take(row: dict[str, Any], prefix: str) -> Mapping[str, Any]:
    return {name.removeprefix(prefix): row.pop(name) for name in list(row) if name.startswith(prefix)}
