"""What others need to know of grids."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from nxt_domain.grids.connectivity import HardwareFacts
from nxt_domain.grids.hardware_views import MpptView, PoleView, RouterView
from nxt_domain.grids.model import Gateway, GridTwin
from nxt_domain.grids.pbg_connections import PbgConnection
from nxt_domain.grids.views import GridView, GridWithOrganization
from nxt_domain.shared.changes import RowChange
from nxt_domain.shared.paging import Page, Window


class GridTwins(Protocol):
    """Reads grids and gateways inside the caller's transaction [R26]."""

    async def twins(self, grid_ids: Collection[int]) -> Mapping[int, GridTwin]:
        """Load the twins of live grids; an id that is unknown or deleted is left out."""

    async def gateways(self, external_references: Collection[str]) -> Mapping[str, Gateway]:
        """Find gateways by their reference at the network server, compared without case [MET-44].

        Keys are the references in lower case.
        """


class GridRegister(Protocol):
    """The live grids of a scope, as people see them."""

    async def get(self, grid_id: int) -> GridWithOrganization | None:
        """Find a grid; None: unknown, deleted or outside the scope."""

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[GridView]:
        """List grids by ascending id, one statement per page; ``grid_id`` narrows the list to one."""

    async def many(self, grid_ids: Collection[int]) -> Mapping[int, GridWithOrganization]:
        """Find grids, in one statement; those that are unknown, deleted or outside the scope are left out."""

    async def lock(self, grid_ids: Collection[int]) -> Mapping[int, GridView]:
        """Find grids as ``many`` does, and let nobody else change them until the transaction ends."""

    async def change(self, changes: Sequence[RowChange]) -> None:
        """Write changes of locked grids, at most one for each, in one statement.

        Raises:
            InvalidInput: A value is out of its column's range.
            Conflict: A name or identifier is taken, or the organization does not exist.
        """


class GridHardware(Protocol):
    """Meters and gateways on the grids of a scope."""

    async def facts(self, grid_id: int) -> HardwareFacts:
        """Count what is online; live meters and gateways alone."""

    async def pbg_order(self, grid_id: int) -> Sequence[int]:
        """List the ids of a grid's live meters: those without commissioning first, then the newest commissionings."""

    async def pbg_connections(self, grid_id: int, meter_ids: Collection[int]) -> Mapping[int, PbgConnection]:
        """Read some of those meters, in one statement; one that is gone meanwhile is left out."""


class Infrastructure(Protocol):
    """Live things on the grids of a scope, by ascending id, one statement per page; ``grid_id`` narrows to one grid."""

    async def mppts(self, window: Window, *, grid_id: int | None = None) -> Page[MpptView]:
        """List solar chargers and PV inverters."""

    async def poles(self, window: Window, *, grid_id: int | None = None) -> Page[PoleView]:
        """List poles."""

    async def routers(self, window: Window, *, grid_id: int | None = None) -> Page[RouterView]:
        """List routers."""
