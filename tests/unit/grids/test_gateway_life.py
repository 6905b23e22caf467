"""A gateway's life in memory, as in a notebook: any order of wishes and of a provisioning role's troubles."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.identity_world import MEMBER
from tests.support.sites_memory import a_dcu, a_grid

from nxt_adapters.memory.gateways import MemoryHardwareImports
from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_domain.grids.gateways import Assignment
from nxt_domain.grids.hardware_views import DcuView, InstallSessionView
from nxt_domain.grids.model import CommunicationProtocol
from nxt_domain.grids.use_cases.assign_gateways import GatewayInstalls
from nxt_domain.grids.use_cases.gateways import UpdateGateways
from nxt_domain.identity.model import TokenClaims
from nxt_domain.identity.rules import principal_of_user
from nxt_domain.identity.scope import PLATFORM
from nxt_domain.shared.changes import RowChange
from nxt_domain.shared.errors import Conflict, NotFound, Unavailable
from nxt_domain.shared.external_systems import ExternalSystem

GRID, DCU = 70, 3
WISH = Assignment(
    external_reference="a84041ffff210001",
    external_system=ExternalSystem.CALIN,
    grid_id=GRID,
    communication_protocol=CommunicationProtocol.CALIN_LORAWAN,
)
TROUBLES = ("none", "is_away", "is_idle", "loses_answers")
STEPS = st.tuples(st.sampled_from(["assign", "unassign"]), st.sampled_from(TROUBLES)) | st.tuples(
    st.sampled_from(["provisioning is done", "a minute passes"]), st.just("none")
)


class Village:
    """One gateway, one grid, a provisioning role, and what should be true of them."""

    def __init__(self) -> None:
        self.plane = MemoryPlane()
        self.role = MemoryHardwareImports(self.plane.database)
        self.installs = GatewayInstalls(begin=self.plane.begin, imports=self.role, clock=self.plane.clock, app="Ayrton")
        self.update = UpdateGateways(self.plane.begin)
        now = self.plane.clock.now()
        claims = TokenClaims(subject=None, account_id=MEMBER.id, email=None, full_name=None, expires_at=now)
        self.caller, self.platform = (
            principal_of_user(MEMBER, claims, "token", admin_organization_id=key)
            for key in (2, MEMBER.organization_id or 0)
        )
        self.tables = self.plane.database.snapshot
        self.place = "stock"
        self.in_flight_until = now

    async def found(self) -> None:
        async with self.plane.begin() as tx:
            tx.within(PLATFORM).grids.know(a_grid(GRID, 7))
            tx.within(PLATFORM).gateways.know(a_dcu(DCU, WISH.external_reference, None, None))
            await tx.commit()

    @property
    def dcu(self) -> DcuView:
        row: DcuView = self.tables()["dcu_views"][DCU]
        return row

    @property
    def sessions(self) -> dict[int, InstallSessionView]:
        return dict(self.tables().get("install_sessions", {}))

    async def step(self, wish: str, trouble: str) -> None:
        for name in TROUBLES[1:]:
            setattr(self.role, name, name == trouble)
        match wish:
            case "assign":
                await self._assign(trouble)
            case "unassign":
                await self._unassign(trouble)
            case "provisioning is done":
                await self._report()
            case _:
                self.plane.clock.advance(timedelta(minutes=1))
        assert (self.dcu.grid_id, self.dcu.rls_organization_id) == (
            (None, None) if self.place == "stock" else (GRID, 7)
        )
        assert self.dcu.last_metering_hardware_install_session_id in {None, *self.sessions}
        imports = self.tables().get("hardware_imports", {})
        linked = {row.last_metering_hardware_import_id for row in self.sessions.values()} - {None}
        assert {row.session_id for row in imports.values()} <= set(self.sessions)
        assert linked == set(imports)

    async def _assign(self, trouble: str) -> None:
        if self.place != "stock":
            return await self._refused(self.installs.assign(self.caller, WISH), Conflict)
        if trouble == "is_away":
            return await self._refused(self.installs.assign(self.caller, WISH), Unavailable)
        self._begun(await self.installs.assign(self.caller, WISH), trouble)
        self.place = "standing"
        return None

    async def _unassign(self, trouble: str) -> None:
        if self.place == "stock":
            return await self._refused(self.installs.unassign(self.caller, DCU), NotFound)
        if self.place == "leaving":
            before = self.tables()
            again = await self.installs.unassign(self.caller, DCU)
            assert again is not None
            assert again.id == self.dcu.last_metering_hardware_install_session_id
            assert self.tables() == before
            return None
        if self.plane.clock.now() < self.in_flight_until:
            return await self._refused(self.installs.unassign(self.caller, DCU), Conflict)
        if trouble == "is_away":
            return await self._refused(self.installs.unassign(self.caller, DCU), Unavailable)
        self._begun(await self.installs.unassign(self.caller, DCU), trouble)
        self.place = "standing" if trouble == "is_idle" else "leaving"
        return None

    def _begun(self, session: InstallSessionView | None, trouble: str) -> None:
        assert (session is None) is (trouble == "is_idle")
        if session is None:
            self.in_flight_until = self.plane.clock.now() + timedelta(seconds=30)
        else:
            assert session.dcu is not None
            assert session.dcu.last_metering_hardware_install_session_id == session.id

    async def _report(self) -> None:
        for import_id, row in self.tables().get("hardware_imports", {}).items():
            if not row.is_finished:
                self.role.finish(import_id)
        if self.place == "leaving":
            await self.update(self.platform, [RowChange(id=DCU, values={"grid_id": None})])
            self.place = "stock"

    async def _refused(self, attempt: Any, kind: type[Exception]) -> None:
        before = (self.dcu, self.sessions, self.tables().get("hardware_imports", {}))
        try:
            await attempt
        except kind:
            assert (self.dcu, self.sessions, self.tables().get("hardware_imports", {})) == before
        else:
            raise AssertionError(f"{kind.__name__} was expected of {self.place}")


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(STEPS, max_size=10))
def test_any_life_of_a_gateway(steps: list[tuple[str, str]]) -> None:
    """[API-89] [API-90] [MET-185] [MET-187] Property: refused means unchanged; an import always has its session."""

    async def live() -> None:
        village = Village()
        await village.found()
        for wish, trouble in steps:
            await village.step(wish, trouble)

    asyncio.run(live())
