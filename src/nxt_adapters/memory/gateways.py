"""Gateways, their install sessions, and a provisioning role, in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.grid_register import MemoryGridRegister
from nxt_adapters.memory.listing import page_of
from nxt_domain.grids.gateways import ImportOperation, ImportOrder, LastImport, provisioning_unavailable
from nxt_domain.grids.hardware_views import DcuView, DcuWithGrid, InstallSessionView
from nxt_domain.grids.model import CommunicationProtocol
from nxt_domain.grids.views import GridWithOrganization
from nxt_domain.identity.scope import Scope
from nxt_domain.shared.changes import RowChange
from nxt_domain.shared.errors import Conflict
from nxt_domain.shared.external_systems import ExternalSystem
from nxt_domain.shared.paging import Page, Window


@attrs.frozen(kw_only=True)
class ImportRow:
    """An import of an install session."""

    id: int
    session_id: int
    operation: ImportOperation
    is_finished: bool = False


class MemoryGatewayRegister:
    """Implements ``GatewayRegister`` over ``DcuView`` by id.

    Args:
        database: Shared with the other fakes.
        scope: Whose gateways.
    """

    def __init__(self, database: MemoryDatabase, scope: Scope) -> None:
        self._database = database
        self._rows: dict[int, DcuView] = database.table("dcu_views")
        self._all_grids: dict[int, GridWithOrganization] = database.table("grid_views")
        self._meters: dict[int, int] = database.table("meters_behind_dcus")
        self._grids = MemoryGridRegister(database, scope)
        self._scope = scope

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[DcuView]:
        """See ``GatewayRegister.page``."""
        return page_of([row for row in self._visible() if grid_id in {None, row.grid_id}], window)

    async def many(self, dcu_ids: Collection[int]) -> Mapping[int, DcuWithGrid]:
        """See ``GatewayRegister.many``."""
        grids = await self._grids.many(self._all_grids)
        return {
            row.id: DcuWithGrid(**attrs.asdict(row, recurse=False), grid=grids.get(row.grid_id or 0))
            for row in self._visible()
            if row.id in dcu_ids
        }

    async def lock(self, dcu_ids: Collection[int]) -> Mapping[int, DcuView]:
        """See ``GatewayRegister.lock``."""
        return {row.id: row for row in self._visible() if row.id in dcu_ids}

    async def lock_named(self, external_reference: str, external_system: ExternalSystem) -> DcuView | None:
        """See ``GatewayRegister.lock_named``."""
        row = self._named(external_reference, external_system)
        is_takeable = row is not None and (row.grid_id is None or self._scope.admits(row.rls_organization_id))
        return row if row is not None and is_takeable and row.deleted_at is None else None

    async def change(self, changes: Sequence[RowChange]) -> None:
        """See ``GatewayRegister.change``."""
        for change in changes:
            values: dict[str, Any] = dict(change.values)
            row = attrs.evolve(self._rows[change.id], **values)
            others = [other for other in self._rows.values() if other.id != row.id]
            number = (row.external_reference, row.external_system)
            if number in {(other.external_reference, other.external_system) for other in others}:
                raise Conflict("The number is taken", code="ALREADY_EXISTS")
            self._rows[row.id] = attrs.evolve(row, rls_organization_id=self._owner(row.grid_id))

    async def stock(
        self, external_reference: str, external_system: ExternalSystem, protocol: CommunicationProtocol
    ) -> tuple[int, bool]:
        """See ``GatewayRegister.stock``."""
        known = self._named(external_reference, external_system)
        if known is not None and known.deleted_at is None:
            return known.id, False
        key = known.id if known is not None else self._database.next_id("dcus")
        self._rows[key] = DcuView(
            id=key,
            created_at=self._database.clock.now(),
            external_reference=external_reference,
            queue_buffer_length=50,
            external_system=external_system,
            is_online=False,
            last_online_at=None,
            is_online_updated_at=None,
            communication_protocol=protocol,
            grid_id=None,
            last_metering_hardware_install_session_id=None,
            rls_organization_id=None,
            location_geom=None,
            deleted_at=None,
        )
        return key, True

    async def meters_behind(self, dcu_id: int) -> int:
        """See ``GatewayRegister.meters_behind``."""
        return list(self._meters.values()).count(dcu_id)

    def know(self, row: DcuView) -> None:
        """Set up or change a gateway."""
        self._rows[row.id] = row

    def know_meter(self, meter_id: int, dcu_id: int) -> None:
        """Let a meter speak through a gateway."""
        self._meters[meter_id] = dcu_id

    def _named(self, external_reference: str, external_system: ExternalSystem) -> DcuView | None:
        number = (external_reference, external_system)
        rows = self._rows.values()
        return next((row for row in rows if (row.external_reference, row.external_system) == number), None)

    def _owner(self, grid_id: int | None) -> int | None:
        if grid_id is None:
            return None
        if grid_id not in self._all_grids:
            raise Conflict("The grid does not exist", code="REFERENCE_MISSING")
        return self._all_grids[grid_id].organization_id

    def _visible(self) -> list[DcuView]:
        rows = self._rows.values()
        return [row for row in rows if self._scope.admits(row.rls_organization_id) and row.deleted_at is None]


class MemoryInstallSessions:
    """Implements ``InstallSessions``.

    Args:
        database: Shared with the other fakes.
        scope: Whose gateways.
    """

    def __init__(self, database: MemoryDatabase, scope: Scope) -> None:
        self._database = database
        self._rows: dict[int, InstallSessionView] = database.table("install_sessions")
        self._dcus: dict[int, DcuView] = database.table("dcu_views")
        self._imports: dict[int, ImportRow] = database.table("hardware_imports")
        self._scope = scope

    async def open(self, dcu_id: int, author_id: int) -> int:
        """See ``InstallSessions.open``."""
        key = self._database.next_id("install_sessions")
        self._rows[key] = InstallSessionView(
            id=key,
            created_at=self._database.clock.now(),
            dcu_id=dcu_id,
            meter_id=None,
            author_id=author_id,
            last_meter_commissioning_id=None,
            last_metering_hardware_import_id=None,
            meter=None,
            dcu=None,
        )
        return key

    async def get(self, session_id: int) -> InstallSessionView | None:
        """See ``InstallSessions.get``."""
        row = self._rows.get(session_id)
        dcu = None if row is None else self._dcus.get(row.dcu_id or 0)
        if row is None or dcu is None or not self._scope.admits(dcu.rls_organization_id):
            return None
        return attrs.evolve(row, dcu=dcu)

    async def last_import(self, session_id: int) -> LastImport | None:
        """See ``InstallSessions.last_import``."""
        if await self.get(session_id) is None:
            return None
        rows = [row for row in self._imports.values() if row.session_id == session_id]
        last = max(rows, key=lambda row: row.id, default=None)
        if last is None:
            return None
        return LastImport(id=last.id, operation=last.operation, is_finished=last.is_finished)

    async def link_import(self, session_id: int, import_id: int) -> None:
        """See ``InstallSessions.link_import``."""
        if import_id not in self._imports:
            raise Conflict("There is no such import", code="REFERENCE_MISSING")
        self._rows[session_id] = attrs.evolve(self._rows[session_id], last_metering_hardware_import_id=import_id)

    async def discard(self, session_id: int) -> None:
        """See ``InstallSessions.discard``."""
        is_named = any(row.last_metering_hardware_install_session_id == session_id for row in self._dcus.values())
        if is_named or any(row.session_id == session_id for row in self._imports.values()):
            raise Conflict("The session is in use", code="REFERENCE_MISSING")
        del self._rows[session_id]


class MemoryHardwareImports:
    """Implements ``HardwareImports``: a provisioning role that shares the database, as the real one does.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._imports: dict[int, ImportRow] = database.table("hardware_imports")
        self.orders: list[ImportOrder] = []
        self.is_away = False
        self.is_idle = False
        self.loses_answers = False

    async def order(self, order: ImportOrder) -> int | None:
        """See ``HardwareImports.order``."""
        self.orders.append(order)
        if self.is_away:
            raise provisioning_unavailable()
        if self.is_idle:
            return None
        key = self._import_of(order) or self._database.next_id("hardware_imports")
        self._imports[key] = ImportRow(id=key, session_id=order.session_id, operation=order.operation)
        if self.loses_answers:
            raise provisioning_unavailable()
        return key

    def finish(self, import_id: int) -> None:
        """Let an import come to its end."""
        self._imports[import_id] = attrs.evolve(self._imports[import_id], is_finished=True)

    def _import_of(self, order: ImportOrder) -> int | None:
        rows = [row for row in self._imports.values() if row.session_id == order.session_id and not row.is_finished]
        return rows[0].id if rows else None
