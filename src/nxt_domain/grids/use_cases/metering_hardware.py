"""What stands on a grid of one's own tenant: how much of it can be reached, and whom it serves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import attrs

from nxt_domain.grids.connectivity import HardwareConnectivity, connectivity
from nxt_domain.grids.pbg_connections import Cell, cells, file_name
from nxt_domain.grids.ports import GridHardware
from nxt_domain.grids.use_cases.read_grids import HasGrids
from nxt_domain.grids.views import GridView, grid_unknown
from nxt_domain.identity.model import Principal
from nxt_domain.identity.scope import Scope, Scoped, scope_of
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory

_AT_ONCE = 500


class HasHardware(HasGrids, Protocol):
    """Repositories of tenants' rows, grids' hardware among them."""

    @property
    def grid_hardware(self) -> GridHardware:
        """Meters and gateways of the scope's grids."""


class HardwareTransaction(UnitOfWork, Scoped[HasHardware], Protocol):
    """A transaction that reads grids and their hardware within a scope."""


class ReadConnectivity:
    """Tells how much of a grid's metering hardware is online.

    Args:
        begin: Opens a transaction.
    """

    def __init__(self, begin: UnitOfWorkFactory[HardwareTransaction]) -> None:
        self._begin = begin

    async def __call__(self, caller: Principal, grid_id: int) -> HardwareConnectivity:
        """Count [API-93].

        Raises:
            NotFound: The grid is unknown, deleted or foreign.
        """
        async with self._begin() as tx:
            repositories = tx.within(scope_of(caller))
            await _existing(repositories, grid_id)
            return connectivity(await repositories.grid_hardware.facts(grid_id))


@attrs.frozen(kw_only=True)
class PbgList:
    """The list that a download writes.

    Attributes:
        filename: Without harmful characters.
        rows: Cells of the lines below the header; read while they are written.
    """

    filename: str
    rows: AsyncIterator[Sequence[Cell]]


class DownloadPbgConnections:
    """Lists a grid's connections for funders, however many there are.

    The order is settled first, by ids alone; lines are then read some hundred at a time. So no connection to the
    database waits for a slow reader, and a meter that is commissioned meanwhile is neither lost nor listed twice.

    Args:
        begin: Opens a transaction.
        clock: For the name of the file.
    """

    def __init__(self, begin: UnitOfWorkFactory[HardwareTransaction], clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self, caller: Principal, grid_id: int, kind: str) -> PbgList:
        """Begin a list [API-94].

        Args:
            caller: Who asks.
            grid_id: Of which grid.
            kind: Ending of the file's name.

        Raises:
            NotFound: The grid is unknown, deleted or foreign.
        """
        scope = scope_of(caller)
        async with self._begin() as tx:
            repositories = tx.within(scope)
            grid = await _existing(repositories, grid_id)
            meter_ids = await repositories.grid_hardware.pbg_order(grid_id)
        name = grid.name or ""
        return PbgList(
            filename=file_name(name, self._clock.now(), kind), rows=self._rows(scope, grid_id, name, meter_ids)
        )

    async def _rows(
        self, scope: Scope, grid_id: int, grid_name: str, meter_ids: Sequence[int]
    ) -> AsyncIterator[Sequence[Cell]]:
        for start in range(0, len(meter_ids), _AT_ONCE):
            wanted = meter_ids[start : start + _AT_ONCE]
            async with self._begin() as tx:
                found = await tx.within(scope).grid_hardware.pbg_connections(grid_id, wanted)
            for meter_id in wanted:
                if meter_id in found:
                    yield cells(found[meter_id], grid_name)


async def _existing(repositories: HasHardware, grid_id: int) -> GridView:
    grid = await repositories.grids.get(grid_id)
    if grid is None:
        raise grid_unknown(grid_id)
    return grid
