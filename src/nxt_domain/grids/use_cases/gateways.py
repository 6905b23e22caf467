"""The register of gateways: reading, changing, taking into stock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from nxt_domain.grids.gateway_ports import GatewayRegister, InstallSessions
from nxt_domain.grids.gateways import CHANGEABLE, act_of_stocking, act_of_update, dcu_unknown
from nxt_domain.grids.hardware_views import DcuView, DcuWithGrid
from nxt_domain.grids.model import CommunicationProtocol
from nxt_domain.grids.use_cases.read_grids import HasGrids
from nxt_domain.grids.views import grid_unknown
from nxt_domain.identity.model import Principal
from nxt_domain.identity.rules import actor_of
from nxt_domain.identity.scope import Scoped, scope_of
from nxt_domain.shared.audit import AuditedTransaction
from nxt_domain.shared.changes import RowChange, by_id
from nxt_domain.shared.external_systems import ExternalSystem
from nxt_domain.shared.paging import Page, Window
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory


class HasGateways(HasGrids, Protocol):
    """Repositories of tenants' rows, gateways among them."""

    @property
    def gateways(self) -> GatewayRegister:
        """The scope's gateways."""

    @property
    def install_sessions(self) -> InstallSessions:
        """How they come and go."""


class GatewaysTransaction(UnitOfWork, AuditedTransaction, Scoped[HasGateways], Protocol):
    """A transaction over gateways within a scope."""


class ReadGateways:
    """Lists the gateways of a caller's tenant.

    Args:
        begin: Opens a transaction.
    """

    def __init__(self, begin: UnitOfWorkFactory[GatewaysTransaction]) -> None:
        self._begin = begin

    async def page(self, caller: Principal, window: Window, *, grid_id: int | None = None) -> Page[DcuView]:
        """Return a part of the list [R41]; ``grid_id`` narrows it to one grid."""
        async with self._begin() as tx:
            return await tx.within(scope_of(caller)).gateways.page(window, grid_id=grid_id)


class UpdateGateways:
    """Applies partial updates: all of them, or none [API-87].

    Args:
        begin: Opens a transaction.
    """

    def __init__(self, begin: UnitOfWorkFactory[GatewaysTransaction]) -> None:
        self._begin = begin

    async def __call__(self, caller: Principal, changes: Sequence[RowChange]) -> Sequence[DcuWithGrid]:
        """Apply changes, and return the gateways as they are then, in the order of their first mention.

        Raises:
            NotFound: A gateway, or a grid that one shall stand on, is unknown; nothing was changed.
            Conflict: A number or session is taken; nothing was changed.
        """
        wanted = by_id(changes, CHANGEABLE)
        if not wanted:
            return []
        async with self._begin() as tx:
            mine = tx.within(scope_of(caller))
            before = await mine.gateways.lock(wanted)
            for dcu_id in wanted:
                if dcu_id not in before:
                    raise dcu_unknown(dcu_id)
            await _require_grids(mine, wanted)
            await mine.gateways.change(list(wanted.values()))
            after = await mine.gateways.many(wanted)
            acts = [act_of_update(actor_of(caller), before[dcu_id], after[dcu_id]) for dcu_id in wanted]
            await tx.audit.record(*(act for act in acts if act is not None))
            await tx.commit()
        return [after[dcu_id] for dcu_id in wanted]


async def _require_grids(mine: HasGateways, changes: Mapping[int, RowChange]) -> None:
    named = {value for change in changes.values() if isinstance(value := change.values.get("grid_id"), int)}
    known = await mine.grids.many(named)
    for grid_id in sorted(named):
        if grid_id not in known:
            raise grid_unknown(grid_id)


class StockGateway:
    """Takes a gateway into stock, once [API-88].

    Args:
        begin: Opens a transaction.
    """

    def __init__(self, begin: UnitOfWorkFactory[GatewaysTransaction]) -> None:
        self._begin = begin

    async def __call__(
        self,
        caller: Principal,
        external_reference: str,
        external_system: ExternalSystem,
        protocol: CommunicationProtocol,
    ) -> int:
        """Return the id of the gateway with that number and system, a new one if there is none."""
        async with self._begin() as tx:
            gateways = tx.within(scope_of(caller)).gateways
            dcu_id, is_new = await gateways.stock(external_reference, external_system, protocol)
            if is_new:
                await tx.audit.record(act_of_stocking(actor_of(caller), dcu_id, external_reference))
            await tx.commit()
        return dcu_id
