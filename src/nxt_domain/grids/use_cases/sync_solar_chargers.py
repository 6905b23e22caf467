"""Making our list of a grid's solar chargers agree with the vendor's [API-110, API-111]."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import attrs

from nxt_domain.grids.solar_chargers import SiteDevice, compare_chargers, peak_power
from nxt_domain.grids.solar_ports import SiteDevices, SolarChargers
from nxt_domain.grids.use_cases.read_grids import HasGrids
from nxt_domain.grids.views import GridView, grid_unknown
from nxt_domain.identity.model import Principal
from nxt_domain.identity.rules import actor_of
from nxt_domain.identity.scope import Scoped, scope_of
from nxt_domain.shared.audit import Act, Actor, AuditedTransaction, Subjects
from nxt_domain.shared.changes import RowChange
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.external_systems import ExternalSystem
from nxt_domain.shared.job_leases import JobLeases
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory


class HasSolarChargers(HasGrids, Protocol):
    """Repositories of tenants' rows, solar chargers among them."""

    @property
    def solar_chargers(self) -> SolarChargers:
        """Chargers on the scope's grids."""


class SolarTransaction(UnitOfWork, AuditedTransaction, Scoped[HasSolarChargers], Protocol):
    """A transaction over grids and their solar chargers within a scope."""


class SyncOutcome(StrEnum):
    """How a synchronisation ended."""

    DONE = "done"
    BUSY = "busy"
    """Another one of the same grid is under way; this one did nothing."""
    NOT_MONITORED = "not monitored"
    """The grid's generation is not with this vendor, or its site is not known."""
    NO_DEVICES = "no devices"
    """The vendor lists nothing; nothing was changed."""


@attrs.frozen(kw_only=True)
class SyncReport:
    """What a synchronisation did.

    Attributes:
        added: Chargers that are new in our list.
        removed: Chargers that are not in it any more.
    """

    outcome: SyncOutcome
    added: int = 0
    removed: int = 0


class SyncSolarChargers:
    """Synchronises one grid at a time, over all processes.

    Args:
        begin: Opens a transaction.
        devices: The vendor.
        leases: Let one run per grid.
        clock: When chargers come and go.
    """

    def __init__(
        self,
        *,
        begin: UnitOfWorkFactory[SolarTransaction],
        devices: SiteDevices,
        leases: JobLeases,
        clock: Clock,
    ) -> None:
        self._begin = begin
        self._devices = devices
        self._leases = leases
        self._clock = clock

    async def require_grid(self, caller: Principal, grid_id: int) -> None:
        """Refuse a grid that does not exist for the caller.

        Raises:
            NotFound: It is unknown, deleted or foreign.
        """
        if await self._grid(caller, grid_id) is None:
            raise grid_unknown(grid_id)

    async def __call__(self, caller: Principal, grid_id: int) -> SyncReport:
        """Synchronise a grid of the caller's tenant; whatever the vendor does wrong, nothing is changed by half.

        Raises:
            Unavailable: The vendor can't be reached, or the lease was lost.
            UpstreamFailed: The vendor refuses us, does not know the site, or answers nonsense.
        """
        async with self._leases.hold(f"mppt-sync:{grid_id}") as is_ours:
            if not is_ours:
                return SyncReport(outcome=SyncOutcome.BUSY)
            grid = await self._grid(caller, grid_id)
            if grid is None or not _is_monitored(grid):
                return SyncReport(outcome=SyncOutcome.NOT_MONITORED)
            devices = await self._devices.of_site(grid.generation_external_site_id or "")
            if not devices:
                return SyncReport(outcome=SyncOutcome.NO_DEVICES)
            return await self._store(caller, grid_id, devices)

    async def _grid(self, caller: Principal, grid_id: int) -> GridView | None:
        async with self._begin() as tx:
            return await tx.within(scope_of(caller)).grids.get(grid_id)

    async def _store(self, caller: Principal, grid_id: int, devices: Sequence[SiteDevice]) -> SyncReport:
        now = self._clock.now()
        async with self._begin() as tx:
            mine = tx.within(scope_of(caller))
            grid = (await mine.grids.lock([grid_id])).get(grid_id)
            if grid is None:
                return SyncReport(outcome=SyncOutcome.NOT_MONITORED)
            changes = compare_chargers(await mine.solar_chargers.live(grid_id), devices)
            await mine.solar_chargers.remove(changes.removed, now)
            await mine.solar_chargers.add(grid_id, changes.added, now)
            kwp = peak_power((await mine.solar_chargers.live(grid_id)).values())
            if kwp != grid.kwp:
                await mine.grids.change([RowChange(id=grid_id, values={"kwp": kwp})])
                await tx.audit.record(_act(actor_of(caller), grid, kwp))
            await tx.commit()
        return SyncReport(outcome=SyncOutcome.DONE, added=len(changes.added), removed=len(changes.removed))


def _is_monitored(grid: GridView) -> bool:
    return (
        grid.generation_external_system == ExternalSystem.VICTRON
        and bool(grid.generation_external_site_id)
        and bool(grid.generation_external_gateway_id)
    )


def _act(actor: Actor, grid: GridView, kwp: object) -> Act:
    return Act(
        actor=actor,
        action="grid.mppt_sync",
        entity_type="grid",
        entity_id=grid.id,
        about=Subjects(organization_id=grid.organization_id, grid_id=grid.id),
        before={"kwp": grid.kwp},
        after={"kwp": kwp},
    )
