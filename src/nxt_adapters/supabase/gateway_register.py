"""Gateways and their install sessions, within a scope."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

import attrs
from sqlalchemy import ColumnElement, Select, and_, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from nxt_adapters.supabase.changing import change_rows
from nxt_adapters.supabase.grid_register import PostgresGridRegister
from nxt_adapters.supabase.scoping import (
    GRID,
    among,
    columns_of,
    kind_of,
    owned,
    owned_by,
    page_of,
    pages_of_all,
    pages_within,
)
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.tables import (
    dcus,
    metering_hardware_imports,
    metering_hardware_install_sessions,
    meters,
)
from nxt_adapters.supabase.written import Read
from nxt_domain.grids.gateways import ImportOperation, LastImport
from nxt_domain.grids.hardware_views import DcuView, DcuWithGrid, InstallSessionView
from nxt_domain.grids.model import CommunicationProtocol
from nxt_domain.identity.scope import Scope
from nxt_domain.shared.changes import RowChange
from nxt_domain.shared.external_systems import ExternalSystem
from nxt_domain.shared.paging import Page, Window

_DCU = columns_of(dcus, DcuView)
_sessions = metering_hardware_install_sessions
_SESSION = columns_of(_sessions, InstallSessionView)
_imports = metering_hardware_imports
_UNFINISHED = frozenset({"PENDING", "PROCESSING"})


class PostgresGatewayRegister:
    """``GatewayRegister`` on the relational plane.

    Args:
        session: Of the unit of work.
        scope: Whose gateways.
    """

    def __init__(self, session: Session, scope: Scope) -> None:
        self._session = session
        self._scope = scope
        self._grids = PostgresGridRegister(session, scope)

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[DcuView]:
        """See ``GatewayRegister.page``."""
        read = _pages(kind_of(self._scope), of_grid=grid_id is not None)
        return await page_of(self._session, read, self._scope, window, _shown, grid_id=grid_id)

    async def many(self, dcu_ids: Collection[int]) -> Mapping[int, DcuWithGrid]:
        """See ``GatewayRegister.many``; two statements."""
        found = await self._read(select(*_DCU).where(among(dcus.c.id, dcu_ids), *self._live()))
        grids = await self._grids.many({dcu.grid_id for dcu in found if dcu.grid_id is not None})
        return {
            dcu.id: DcuWithGrid(
                **attrs.asdict(dcu, recurse=False), grid=None if dcu.grid_id is None else grids.get(dcu.grid_id)
            )
            for dcu in found
        }

    async def lock(self, dcu_ids: Collection[int]) -> Mapping[int, DcuView]:
        """See ``GatewayRegister.lock``."""
        query = select(*_DCU).where(among(dcus.c.id, dcu_ids), *self._live())
        return {dcu.id: dcu for dcu in await self._read(query.order_by(dcus.c.id).with_for_update(key_share=True))}

    async def lock_named(self, external_reference: str, external_system: ExternalSystem) -> DcuView | None:
        """See ``GatewayRegister.lock_named``."""
        is_own, is_live = self._live()
        query = select(*_DCU).where(
            and_(
                dcus.c.external_reference == external_reference,
                dcus.c.external_system == external_system,
                is_live,
                or_(is_own, dcus.c.grid_id.is_(None)),
            )
        )
        return next(iter(await self._read(query.with_for_update(key_share=True))), None)

    async def change(self, changes: Sequence[RowChange]) -> None:
        """See ``GatewayRegister.change``."""
        await change_rows(self._session, dcus, changes)

    async def stock(
        self, external_reference: str, external_system: ExternalSystem, protocol: CommunicationProtocol
    ) -> tuple[int, bool]:
        """See ``GatewayRegister.stock``."""
        number = {"external_reference": external_reference, "external_system": external_system}
        new = upsert(dcus).values(**number, communication_protocol=protocol)
        revived = {"deleted_at": None, "grid_id": None, "communication_protocol": protocol}
        keys = [dcus.c.external_reference, dcus.c.external_system]
        store = new.on_conflict_do_update(index_elements=keys, set_=revived, where=dcus.c.deleted_at.is_not(None))
        made = (await self._session.execute(store.returning(dcus.c.id))).scalar_one_or_none()
        if made is not None:
            return made, True
        known = select(dcus.c.id).filter_by(**number)
        return (await self._session.execute(known)).scalar_one(), False

    async def meters_behind(self, dcu_id: int) -> int:
        """See ``GatewayRegister.meters_behind``."""
        query = select(func.count()).where(meters.c.dcu_id == dcu_id, meters.c.deleted_at.is_(None))
        return int((await self._session.execute(query)).scalar_one())

    async def _read(self, query: Select[tuple[object, ...]]) -> list[DcuView]:
        return [DcuView(**row) for row in (await self._session.execute(query)).mappings()]

    def _live(self) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return owned_by(self._scope, dcus.c.rls_organization_id), dcus.c.deleted_at.is_(None)


@cache
def _pages(scope: Scope, *, of_grid: bool) -> Read:
    query: Select[Any] = select(*_DCU).where(dcus.c.deleted_at.is_(None))
    if not of_grid:
        return pages_of_all(query, scope, dcus)
    query = query.where(owned(scope, dcus.c.rls_organization_id))
    return pages_within(query, dcus.c.grid_id, GRID, dcus.c.id)


def _shown(row: Mapping[str, Any]) -> DcuView:
    return DcuView(**row)


class PostgresInstallSessions:
    """``InstallSessions`` on the relational plane.

    Args:
        session: Of the unit of work.
        scope: Whose gateways.
    """

    def __init__(self, session: Session, scope: Scope) -> None:
        self._session = session
        self._scope = scope

    async def open(self, dcu_id: int, author_id: int) -> int:
        """See ``InstallSessions.open``."""
        store = insert(_sessions).values(dcu_id=dcu_id, author_id=author_id).returning(_sessions.c.id)
        session_id: int = (await self._session.execute(store)).scalar_one()
        return session_id

    async def get(self, session_id: int) -> InstallSessionView | None:
        """See ``InstallSessions.get``."""
        query = select(*_SESSION).where(_sessions.c.id == session_id, self._owned())
        row = (await self._session.execute(query)).mappings().one_or_none()
        if row is None:
            return None
        gateway = select(*_DCU).where(dcus.c.id == row["dcu_id"])
        dcu = (await self._session.execute(gateway)).mappings().one_or_none()
        return InstallSessionView(**row, meter=None, dcu=None if dcu is None else DcuView(**dcu))

    async def last_import(self, session_id: int) -> LastImport | None:
        """See ``InstallSessions.last_import``."""
        # Whoever adds an import needs a share of the session's row, and waits for us or we for them.
        lock = select(_sessions.c.id).where(_sessions.c.id == session_id, self._owned()).with_for_update()
        if (await self._session.execute(lock)).one_or_none() is None:
            return None
        query = (
            select(
                _imports.c.id, _imports.c.metering_hardware_import_operation, _imports.c.metering_hardware_import_status
            )
            .where(_imports.c.metering_hardware_install_session_id == session_id)
            .order_by(_imports.c.id.desc())
            .limit(1)
        )
        row = (await self._session.execute(query)).one_or_none()
        if row is None:
            return None
        import_id, operation, status = row
        return LastImport(id=import_id, operation=ImportOperation(operation), is_finished=status not in _UNFINISHED)

    async def link_import(self, session_id: int, import_id: int) -> None:
        """See ``InstallSessions.link_import``."""
        statement = update(_sessions).where(_sessions.c.id == session_id, self._owned())
        await self._session.execute(statement.values(last_metering_hardware_import_id=import_id))

    async def discard(self, session_id: int) -> None:
        """See ``InstallSessions.discard``; its gateway, and with it the session, may have left the scope by now."""
        await self._session.execute(delete(_sessions).where(_sessions.c.id == session_id))

    def _owned(self) -> ColumnElement[bool]:
        return owned_by(self._scope, _sessions.c.rls_organization_id)
