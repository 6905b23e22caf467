"""Putting a gateway on a grid and taking it off, with the provisioning role's help [API-89, API-90].

Both go the same way: one transaction takes the gateway, opens an install session and records the act; then the
provisioning role is asked; then the session learns its import. If the provisioning role fails, the first step is taken
back, unless its import is found all the same: then only the answer was lost.
"""

from __future__ import annotations

import attrs

from nxt_domain.grids.gateway_ports import HardwareImports
from nxt_domain.grids.gateways import (
    Assignment,
    ImportOperation,
    ImportOrder,
    act_of_assignment,
    act_of_failed_assignment,
    act_of_failed_removal,
    act_of_removal,
    dcu_unknown,
    not_on_a_grid,
    require_free,
    require_no_flight,
    require_unused,
)
from nxt_domain.grids.hardware_views import DcuView, InstallSessionView
from nxt_domain.grids.use_cases.gateways import GatewaysTransaction, HasGateways
from nxt_domain.grids.views import GridView, grid_unknown
from nxt_domain.identity.model import Principal
from nxt_domain.identity.rules import actor_of
from nxt_domain.identity.scope import scope_of
from nxt_domain.shared.audit import Act
from nxt_domain.shared.changes import RowChange
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Unavailable
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory


@attrs.frozen(kw_only=True)
class _Step:
    """What the first transaction did, and how it is taken back.

    Attributes:
        session_id: The new install session.
        before: The gateway as it was.
        undone: What the audit trail says if it must be taken back.
    """

    session_id: int
    before: DcuView
    undone: Act


class GatewayInstalls:
    """What assigning and removing have in common.

    Args:
        begin: Opens a transaction.
        imports: The provisioning role.
        clock: Tells which sessions are fresh.
        app: How people call the application for operations.
    """

    def __init__(
        self,
        *,
        begin: UnitOfWorkFactory[GatewaysTransaction],
        imports: HardwareImports,
        clock: Clock,
        app: str,
    ) -> None:
        self._begin = begin
        self._imports = imports
        self._clock = clock
        self._app = app

    async def assign(self, caller: Principal, wish: Assignment) -> InstallSessionView | None:
        """Put a gateway on a grid of the caller's tenant.

        Returns:
            The install session; None: the provisioning role made no import.

        Raises:
            InvalidInput: The gateway is unknown, or another tenant's.
            Conflict: It stands on a grid already.
            NotFound: The grid is unknown, deleted or foreign.
            Unavailable: ``Provisioning service unavailable``; everything is as it was.
        """
        async with self._begin() as tx:
            mine = tx.within(scope_of(caller))
            dcu = await self._free_gateway(mine, wish)
            grid = await mine.grids.get(wish.grid_id)
            if grid is None:
                raise grid_unknown(wish.grid_id)
            values = {"grid_id": grid.id, "communication_protocol": wish.communication_protocol}
            session_id = await _open_session(mine, caller, dcu, values)
            await tx.audit.record(act_of_assignment(actor_of(caller), dcu, grid, self._app))
            await tx.commit()
        undone = act_of_failed_assignment(actor_of(caller), dcu, grid)
        step = _Step(session_id=session_id, before=dcu, undone=undone)
        return await self._register(caller, step, ImportOperation.ADD)

    async def unassign(self, caller: Principal, dcu_id: int) -> InstallSessionView | None:
        """Have a gateway removed from its grid; it leaves when the provisioning role says so [MET-187].

        Returns:
            The install session; that of the removal which is under way already, if there is one. None: the provisioning
            role made no import.

        Raises:
            NotFound: The gateway is unknown, deleted or another tenant's.
            Conflict: It stands on no grid, meters speak through it, or another request is under way.
            Unavailable: ``Provisioning service unavailable``; everything is as it was.
        """
        async with self._begin() as tx:
            mine = tx.within(scope_of(caller))
            dcu, grid = await _standing_gateway(mine, dcu_id)
            last = await _last_session(mine, dcu)
            if last is not None and await _is_being_removed(mine, last):
                return last
            require_no_flight(last, self._clock.now())
            require_unused(await mine.gateways.meters_behind(dcu_id))
            session_id = await _open_session(mine, caller, dcu, {})
            await tx.audit.record(act_of_removal(actor_of(caller), dcu, grid, self._app))
            await tx.commit()
        undone = act_of_failed_removal(actor_of(caller), dcu, grid)
        step = _Step(session_id=session_id, before=dcu, undone=undone)
        return await self._register(caller, step, ImportOperation.REMOVE)

    async def _free_gateway(self, mine: HasGateways, wish: Assignment) -> DcuView:
        dcu = await mine.gateways.lock_named(wish.external_reference, wish.external_system)
        holder = None if dcu is None or dcu.grid_id is None else await mine.grids.get(dcu.grid_id)
        return require_free(dcu, wish, holder)

    async def _register(self, caller: Principal, step: _Step, operation: ImportOperation) -> InstallSessionView | None:
        origin = caller.origin
        order = ImportOrder(
            operation=operation,
            session_id=step.session_id,
            dcu_id=step.before.id,
            request_id=None if origin is None else origin.request_id,
        )
        try:
            import_id = await self._imports.order(order)
        except Unavailable:
            import_id = await self._found_or_undone(caller, step)
            if import_id is None:
                raise
        if import_id is None:
            return None
        async with self._begin() as tx:
            sessions = tx.within(scope_of(caller)).install_sessions
            await sessions.link_import(step.session_id, import_id)
            session = await sessions.get(step.session_id)
            await tx.commit()
        return session

    async def _found_or_undone(self, caller: Principal, step: _Step) -> int | None:
        """Look for an import whose answer was lost; if there is none, take the first step back."""
        async with self._begin() as tx:
            mine = tx.within(scope_of(caller))
            found = await mine.install_sessions.last_import(step.session_id)
            if found is not None:
                return found.id
            await _restore(mine, step)
            await tx.audit.record(step.undone)
            await tx.commit()
        return None


async def _standing_gateway(mine: HasGateways, dcu_id: int) -> tuple[DcuView, GridView]:
    dcu = (await mine.gateways.lock([dcu_id])).get(dcu_id)
    if dcu is None:
        raise dcu_unknown(dcu_id)
    grid = None if dcu.grid_id is None else await mine.grids.get(dcu.grid_id)
    if grid is None:
        raise not_on_a_grid(dcu_id)
    return dcu, grid


async def _last_session(mine: HasGateways, dcu: DcuView) -> InstallSessionView | None:
    session_id = dcu.last_metering_hardware_install_session_id
    return None if session_id is None else await mine.install_sessions.get(session_id)


async def _is_being_removed(mine: HasGateways, session: InstallSessionView) -> bool:
    last = await mine.install_sessions.last_import(session.id)
    return last is not None and last.operation is ImportOperation.REMOVE and not last.is_finished


async def _open_session(mine: HasGateways, caller: Principal, dcu: DcuView, values: dict[str, object]) -> int:
    session_id = await mine.install_sessions.open(dcu.id, caller.account_id)
    change = RowChange(id=dcu.id, values={**values, "last_metering_hardware_install_session_id": session_id})
    await mine.gateways.change([change])
    return session_id


async def _restore(mine: HasGateways, step: _Step) -> None:
    now = (await mine.gateways.lock([step.before.id])).get(step.before.id)
    if now is not None and now.last_metering_hardware_install_session_id == step.session_id:
        names = ("grid_id", "communication_protocol", "last_metering_hardware_install_session_id")
        values = {name: getattr(step.before, name) for name in names}
        await mine.gateways.change([RowChange(id=now.id, values=values)])
        await mine.install_sessions.discard(step.session_id)
