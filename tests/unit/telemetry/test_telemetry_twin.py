"""The digital twin: is a grid energised, and when is that written?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs
import pytest
from tests.support.telemetry import at

from nxt_adapters.memory.database import MemoryClock
from nxt_adapters.memory.telemetry import MemoryGridState, MemoryPlantMonitor
from nxt_domain.shared.errors import Unavailable
from nxt_domain.telemetry.model import GatewayGrid, Phase, PowerReading
from nxt_domain.telemetry.twin import GridTwin
from nxt_domain.telemetry.use_cases.follow_plant import FollowPlant

PORTAL = "c0619ab1a2b3"
KUWANA = GatewayGrid(grid_id=3, portal_id=PORTAL, is_three_phase_supported=True, is_hps_on=False, threshold_kw=0.7)


def power(phase: Phase, watts: float | None, portal: str = PORTAL) -> PowerReading:
    return PowerReading(portal_id=portal, phase=phase, power_w=watts)


def test_three_phases_decide_together() -> None:
    """[TEL-155] [TEL-156] The example: 400 + 250 W undecided, + 150 W on, null undecided, 30 W off."""
    twin = GridTwin(grid=KUWANA)
    told = []
    for reading in (
        power(Phase.L1, 400),
        power(Phase.L2, 250),
        power(Phase.L3, 150),
        power(Phase.L3, None),
        power(Phase.L3, 30),
    ):
        twin = twin.observe(reading)
        told.append(twin.is_energised())
    assert told == [None, None, True, None, False]


def test_a_single_phase_grid_decides_on_l1_alone() -> None:
    """[TEL-156]"""
    twin = GridTwin(grid=attrs.evolve(KUWANA, is_three_phase_supported=False))
    assert twin.observe(power(Phase.L2, 5000)).is_energised() is None
    assert twin.observe(power(Phase.L2, 5000)).observe(power(Phase.L1, 699)).is_energised() is False
    assert twin.observe(power(Phase.L1, 700)).is_energised() is True


def test_a_total_at_the_threshold_is_energised() -> None:
    """[TEL-156] T ≥ threshold; 0.4 + 0.2 + 0.1 must reach 0.7 in binary, too."""
    for watts in ((400, 200, 100), (100, 200, 400), (350, 300, 50)):
        twin = GridTwin(grid=KUWANA)
        for phase, w in zip(Phase, watts, strict=True):
            twin = twin.observe(power(phase, w))
        assert twin.is_energised() is True


class Grids(MemoryGridState):
    """Grids whose store can be away, and which count the writes they were asked for."""

    def __init__(self, grids: Sequence[GatewayGrid]) -> None:
        super().__init__(grids)
        self.is_away = False
        self.asked = 0

    async def gateway_grids(self) -> Sequence[GatewayGrid]:
        if self.is_away:
            raise Unavailable("away")
        return await super().gateway_grids()

    async def set_energised(self, grid_id: int, *, is_hps_on: bool, at: datetime) -> bool:
        self.asked += 1
        if self.is_away:
            raise Unavailable("away")
        return await super().set_energised(grid_id, is_hps_on=is_hps_on, at=at)


class World:
    """One single-phase grid, its plant, and the use case."""

    def __init__(self) -> None:
        self.grids = Grids([attrs.evolve(KUWANA, is_three_phase_supported=False)])
        self.monitor = MemoryPlantMonitor()
        self.clock = MemoryClock(at(9))
        self.follow = FollowPlant(self.monitor, self.grids, self.clock)

    async def say(self, *watts: float | None) -> None:
        for w in watts:
            await self.follow.observe(power(Phase.L1, w))


@pytest.fixture
async def world() -> World:
    world = World()
    await world.follow.refresh()
    return world


async def test_a_change_is_written_once(world: World) -> None:
    """[TEL-157] [TEL-40]"""
    await world.say(100, 900, 950, 1000)
    world.clock.advance(timedelta(minutes=5))
    await world.say(10, 20)
    assert world.grids.changes == [(3, True, at(9)), (3, False, at(9, 5))]
    assert world.grids.asked == 2


async def test_a_failed_write_is_tried_again_with_the_next_message(world: World) -> None:
    """[TEL-157] [TEL-208]"""
    world.grids.is_away = True
    await world.say(900, 900)
    assert world.grids.changes == []
    world.grids.is_away = False
    await world.say(900)
    assert world.grids.changes == [(3, True, at(9))]


async def test_silence_and_unknown_power_change_nothing(world: World) -> None:
    """[TEL-158] [TEL-155]"""
    await world.say(900, None)
    await world.follow.observe(power(Phase.L1, 0, portal="unknown"))
    assert world.grids.changes == [(3, True, at(9))]


async def test_settings_are_taken_over_each_minute(world: World) -> None:
    """[TEL-152] Threshold, phase support and stored state change; gateways come and go; powers are kept."""
    await world.say(900)
    world.grids.grids[3] = attrs.evolve(world.grids.grids[3], threshold_kw=1.0)
    world.grids.grids[4] = attrs.evolve(KUWANA, grid_id=4, portal_id="d41243b4f71d")
    await world.follow.refresh()
    assert world.monitor.watched == {PORTAL, "d41243b4f71d"}
    assert world.follow.twins[3].power_w == {Phase.L1: 900}
    await world.say(950)
    assert world.grids.changes[-1][:2] == (3, False)
    del world.grids.grids[3]
    await world.follow.refresh()
    assert world.monitor.watched == {"d41243b4f71d"}
    await world.say(5000)
    assert len(world.grids.changes) == 2


async def test_the_last_settings_stay_while_the_store_is_away(world: World) -> None:
    """[TEL-208]"""
    world.grids.is_away = True
    await world.follow.refresh()
    world.grids.is_away = False
    await world.say(900)
    assert world.grids.changes == [(3, True, at(9))]


async def test_it_runs_until_the_monitor_stops() -> None:
    """[TEL-152] Settings are read at the start; readings are taken in order."""
    world = World()
    running = asyncio.create_task(world.follow.run())
    for _ in range(10):  # lets it read the settings, which takes no time here
        await asyncio.sleep(0)
    for watts in (900.0, 10.0, 900.0):
        world.monitor.say(power(Phase.L1, watts))
    await world.monitor.stop()
    await asyncio.wait_for(running, 5)
    assert [is_on for _, is_on, _ in world.grids.changes] == [True, False, True]
