"""What gateways' use cases need: the register, install sessions, and the provisioning role."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from nxt_domain.grids.gateways import ImportOrder, LastImport
from nxt_domain.grids.hardware_views import DcuView, DcuWithGrid, InstallSessionView
from nxt_domain.grids.model import CommunicationProtocol
from nxt_domain.shared.changes import RowChange
from nxt_domain.shared.external_systems import ExternalSystem
from nxt_domain.shared.paging import Page, Window


class GatewayRegister(Protocol):
    """The live gateways of a scope."""

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[DcuView]:
        """List gateways by ascending id, one statement per page."""

    async def many(self, dcu_ids: Collection[int]) -> Mapping[int, DcuWithGrid]:
        """Find gateways with their grids; those that are unknown, deleted or outside the scope are left out."""

    async def lock(self, dcu_ids: Collection[int]) -> Mapping[int, DcuView]:
        """Find gateways, and let nobody else change them until the transaction ends."""

    async def lock_named(self, external_reference: str, external_system: ExternalSystem) -> DcuView | None:
        """Find and lock a gateway by its number: one of the scope, or one in stock, which anybody may take [API-64]."""

    async def change(self, changes: Sequence[RowChange]) -> None:
        """Write changes of locked gateways, at most one for each, in one statement; owners follow their grids.

        Raises:
            Conflict: A number is taken, or a grid or session does not exist.
        """

    async def stock(
        self, external_reference: str, external_system: ExternalSystem, protocol: CommunicationProtocol
    ) -> tuple[int, bool]:
        """Find a gateway by its number, or put a new one into stock; a deleted one comes back there.

        Returns:
            Its id, and whether it is new in stock.
        """

    async def meters_behind(self, dcu_id: int) -> int:
        """Count the live meters that speak through a gateway."""


class InstallSessions(Protocol):
    """Install sessions of the scope's gateways."""

    async def open(self, dcu_id: int, author_id: int) -> int:
        """Begin a session of a gateway; return its id."""

    async def get(self, session_id: int) -> InstallSessionView | None:
        """Find a session with its gateway."""

    async def last_import(self, session_id: int) -> LastImport | None:
        """Find a session's latest import, and keep others from adding one until the transaction ends."""

    async def link_import(self, session_id: int, import_id: int) -> None:
        """Note which import a session's latest is.

        Raises:
            Conflict: There is no such import.
        """

    async def discard(self, session_id: int) -> None:
        """Take back a session that has no import, and that no gateway names as its last one."""


class HardwareImports(Protocol):
    """Has the provisioning role register gateways at their vendors, or remove them there [API-184]."""

    async def order(self, order: ImportOrder) -> int | None:
        """Hand an order over; a session has one unfinished import at most, so a repeat is harmless.

        Returns:
            Id of the import; None: the provisioning role made none.

        Raises:
            Unavailable: ``Provisioning service unavailable``, whatever the reason; it may have made an import all the
                same.
        """
