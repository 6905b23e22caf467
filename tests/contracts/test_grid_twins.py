"""``GridTwins``: one suite over memory and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.support.meters_villages import KINDS, MemoryVillage, PostgresVillage, village
from tests.support.meters_world import EUI, OTHER_EUI, MetersWorld

from nxt_adapters.memory.grids import GridRow
from nxt_domain.grids.model import CommunicationProtocol


@pytest.fixture(params=KINDS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[MetersWorld]:
    async with village(request, request.param) as built:
        yield built


async def test_met_67_a_grid_with_its_power_and_gateways(world: MetersWorld) -> None:
    async with world.begin() as tx:
        twins = await tx.grids.twins([world.grid_id, 999_999])
        nothing = await tx.grids.twins([])
    twin = twins[world.grid_id]
    assert list(twins) == [world.grid_id]
    assert nothing == {}
    assert twin.is_energised
    assert twin.is_any_lorawan_gateway_online
    assert [gateway.id for gateway in twin.gateways] == [*world.gateway_ids, world.v1_gateway_id]
    first, last = twin.gateways[0], twin.gateways[-1]
    assert (first.external_reference, first.communication_protocol) == (EUI, CommunicationProtocol.CALIN_LORAWAN)
    assert last.communication_protocol is CommunicationProtocol.CALIN_V1


@pytest.mark.parametrize(
    ("is_on", "is_managed", "expected"), [(False, True, False), (True, True, True), (False, False, True)]
)
async def test_met_67_power_counts_only_where_we_run_it(
    world: MetersWorld, is_on: bool, is_managed: bool, expected: bool
) -> None:
    """[REL-42] Of a grid whose generation is another's we can not say that it is off."""
    await world.set_power(is_hps_on=is_on, is_managed=is_managed)
    async with world.begin() as tx:
        assert (await tx.grids.twins([world.grid_id]))[world.grid_id].is_energised is expected


async def test_r26_each_transaction_sees_the_rows_as_they_are(world: MetersWorld) -> None:
    for gateway_id in world.gateway_ids:
        await world.set_gateway(gateway_id, is_online=False)
    async with world.begin() as tx:
        assert not (await tx.grids.twins([world.grid_id]))[world.grid_id].is_any_lorawan_gateway_online
    await world.set_gateway(world.gateway_ids[1], is_online=True)
    async with world.begin() as tx:
        assert (await tx.grids.twins([world.grid_id]))[world.grid_id].is_any_lorawan_gateway_online


async def test_met_44_gateways_are_found_without_case(world: MetersWorld) -> None:
    async with world.begin() as tx:
        found = await tx.grids.gateways({EUI.upper(), OTHER_EUI.lower(), "unknown"})
        nothing = await tx.grids.gateways([])
    assert {reference: gateway.id for reference, gateway in found.items()} == {
        EUI.lower(): world.gateway_ids[0],
        OTHER_EUI.lower(): world.gateway_ids[1],
    }
    assert nothing == {}


async def test_deleted_grids_and_gateways_are_left_out(world: MetersWorld) -> None:
    gone = world.gateway_ids[0]
    if isinstance(world, MemoryVillage):
        row = world.plane.database.table("gateways")[gone]
        world.begin().grids.know_gateway(row.gateway, row.grid_id, is_deleted=True)
    elif isinstance(world, PostgresVillage):
        world.run("update dcus set deleted_at = now() where id = %s", gone)
    async with world.begin() as tx:
        twin = (await tx.grids.twins([world.grid_id]))[world.grid_id]
        assert gone not in [gateway.id for gateway in twin.gateways]
        assert await tx.grids.gateways({EUI}) == {}
    if isinstance(world, MemoryVillage):
        world.begin().grids.know_grid(GridRow(id=world.grid_id, is_deleted=True))
    elif isinstance(world, PostgresVillage):
        world.run("update grids set deleted_at = now() where id = %s", world.grid_id)
    async with world.begin() as tx:
        assert await tx.grids.twins([world.grid_id]) == {}
