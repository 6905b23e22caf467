"""Meters and gateways of grids, within a scope."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, func, select

from nxt_adapters.supabase.scoping import among, owned_by
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.tables import (
    accounts,
    connections,
    customers,
    dcus,
    issues,
    meter_commissionings,
    metering_hardware_imports,
    metering_hardware_install_sessions,
    meters,
    poles,
)
from nxt_domain.grids.connectivity import HardwareFacts
from nxt_domain.grids.pbg_connections import PbgConnection
from nxt_domain.identity.scope import Scope

_sessions = metering_hardware_install_sessions
_INSTALLED = meters.outerjoin(
    _sessions, _sessions.c.id == meters.c.last_metering_hardware_install_session_id
).outerjoin(meter_commissionings, meter_commissionings.c.id == _sessions.c.last_meter_commissioning_id)
_ROWS = (
    _INSTALLED.join(connections, connections.c.id == meters.c.connection_id)
    .join(customers, customers.c.id == connections.c.customer_id)
    .join(accounts, accounts.c.id == customers.c.account_id)
    .outerjoin(
        metering_hardware_imports, metering_hardware_imports.c.id == _sessions.c.last_metering_hardware_import_id
    )
    .outerjoin(poles, poles.c.id == meters.c.pole_id)
    .outerjoin(issues, and_(issues.c.id == meters.c.last_encountered_issue_id, issues.c.issue_status == "OPEN"))
)
_PBG = select(
    meters.c.id,
    meters.c.external_reference,
    meters.c.meter_type,
    meters.c.latitude,
    meters.c.longitude,
    poles.c.location_geom,
    accounts.c.full_name,
    accounts.c.phone,
    customers.c.gender,
    customers.c.generator_owned,
    connections.c.is_commercial,
    connections.c.is_residential,
    connections.c.is_public,
    metering_hardware_imports.c.metering_hardware_import_status,
    meter_commissionings.c.created_at,
    meter_commissionings.c.meter_commissioning_status,
    issues.c.issue_type,
).select_from(_ROWS)


class PostgresGridHardware:
    """``GridHardware`` on the relational plane.

    Args:
        session: Of the unit of work.
        scope: Whose grids.
    """

    def __init__(self, session: Session, scope: Scope) -> None:
        self._session = session
        self._scope = scope

    async def facts(self, grid_id: int) -> HardwareFacts:
        """See ``GridHardware.facts``."""
        counted = (
            select(func.count(), func.count().filter(dcus.c.is_online))
            .select_from(meters.outerjoin(dcus, dcus.c.id == meters.c.dcu_id))
            .where(*self._meters_on(grid_id))
        )
        listed = (
            select(dcus.c.external_reference, dcus.c.is_online)
            .where(dcus.c.grid_id == grid_id, dcus.c.deleted_at.is_(None))
            .where(owned_by(self._scope, dcus.c.rls_organization_id))
            .order_by(dcus.c.external_reference)
        )
        total, reachable = (await self._session.execute(counted)).one()
        gateways = (await self._session.execute(listed)).all()
        return HardwareFacts(
            meters=total,
            reachable_meters=reachable,
            online=[reference for reference, is_online in gateways if is_online],
            offline=[reference for reference, is_online in gateways if not is_online],
        )

    async def pbg_order(self, grid_id: int) -> Sequence[int]:
        """See ``GridHardware.pbg_order``."""
        query = (
            select(meters.c.id)
            .select_from(_INSTALLED)
            .where(*self._meters_on(grid_id))
            .order_by(meter_commissionings.c.created_at.desc().nulls_first(), meters.c.id)
        )
        return (await self._session.execute(query)).scalars().all()

    async def pbg_connections(self, grid_id: int, meter_ids: Collection[int]) -> Mapping[int, PbgConnection]:
        """See ``GridHardware.pbg_connections``."""
        query = _PBG.where(among(meters.c.id, meter_ids), *self._meters_on(grid_id))
        rows = (await self._session.execute(query)).mappings()
        return {row["id"]: _pbg_connection(row) for row in rows}

    def _meters_on(self, grid_id: int) -> tuple[ColumnElement[bool], ...]:
        # A meter's copy of the grid is that of its connection's customer; triggers keep it [MET-14].
        return (
            meters.c.rls_grid_id == grid_id,
            meters.c.deleted_at.is_(None),
            owned_by(self._scope, meters.c.rls_organization_id),
        )


def _pbg_connection(row: RowMapping) -> PbgConnection:
    latitude, longitude = _place(row)
    return PbgConnection(
        meter_id=row["id"],
        meter_reference=row["external_reference"],
        meter_type=row["meter_type"],
        customer_name=row["full_name"],
        gender=row["gender"],
        is_commercial=row["is_commercial"],
        is_residential=row["is_residential"],
        is_public=row["is_public"],
        generator_owned=row["generator_owned"],
        phone=row["phone"],
        latitude=latitude,
        longitude=longitude,
        import_status=row["metering_hardware_import_status"],
        commissioned_at=row["created_at"],
        commissioning_status=row["meter_commissioning_status"],
        open_issue=row["issue_type"],
    )


def _place(row: RowMapping) -> tuple[Decimal | None, Decimal | None]:
    point: Any = row["location_geom"]
    if point is None:
        return _decimal(row["latitude"]), _decimal(row["longitude"])
    longitude, latitude = point["coordinates"][:2]
    return _decimal(latitude), _decimal(longitude)


def _decimal(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))
