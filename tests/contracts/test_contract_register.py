"""``Customers``, ``Connections`` and ``RequestedMeters``: one suite over memory and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import attrs
import pytest
from tests.support.registers import AT, OTHER, SUNNY, MemoryRegisters, PostgresRegisters

from nxt_domain.grids.contracts import IdDocumentType, MeterRequest, NewConnection, RequestedMeterChanges
from nxt_domain.grids.model import MeterPhase
from nxt_domain.grids.tariffs import MeterType
from nxt_domain.identity.scope import PLATFORM, Scope
from nxt_domain.shared.errors import Conflict
from nxt_domain.shared.external_systems import ExternalSystem
from nxt_domain.shared.money import Currency
from nxt_domain.shared.paging import Window

Registers = MemoryRegisters | PostgresRegisters
BASIC = MeterRequest(meter_type=MeterType.HPS, meter_phase=MeterPhase.SINGLE_PHASE, fee=Decimal("5000.25"))
FULL = MeterRequest(meter_type=MeterType.FS, meter_phase=MeterPhase.THREE_PHASE, fee=Decimal(3000))


@pytest.fixture(params=["memory", "postgres"])
async def registers(request: pytest.FixtureRequest) -> AsyncIterator[Registers]:
    made: Registers
    if request.param == "memory":
        made = MemoryRegisters()
    else:
        made = PostgresRegisters(request.getfixturevalue("relational_url"))
        await made.seed()
    for customer_id, grid_id in ((1, 70), (2, 70), (3, 71), (4, 80)):
        await made.add_customer(customer_id, grid_id)
    yield made
    await made.close()


def a_connection(customer_id: int = 1, **values: Any) -> NewConnection:
    terms: dict[str, Any] = {"is_public": False, "is_commercial": False, "is_residential": True, "women_impacted": 2}
    return NewConnection(**{"customer_id": customer_id, "currency": Currency.NGN, **terms, **values})


async def test_customers_are_seen_from_their_own_tenant_alone(registers: Registers) -> None:
    """[API-64] [R39]"""
    async with registers.begin() as tx:
        mine = await tx.within(SUNNY).customers.lock([1, 3, 4, 99])
        assert {key: (row.grid_id, row.organization_id) for key, row in mine.items()} == {1: (70, 7), 3: (71, 7)}
        assert list(await tx.within(PLATFORM).customers.lock([4])) == [4]
        assert await tx.within(Scope(organization_id=None)).customers.lock([1]) == {}


async def test_lists_of_customers_and_connections(registers: Registers) -> None:
    """[R41] Ascending ids in pages of a bounded size, own tenant, of one grid where asked; none that are deleted."""
    async with registers.begin() as tx:
        everything = tx.within(PLATFORM)
        ids = [await everything.connections.add(a_connection(customer)) for customer in (1, 3, 4, 2, 1)]
        gone = (await everything.connections.lock([ids[4]]))[ids[4]]
        await everything.connections.save([attrs.evolve(gone, deleted_at=AT)])
        await tx.commit()
    async with registers.begin() as tx:
        mine = tx.within(SUNNY)
        first = await mine.customers.page(Window(limit=2))
        assert ([row.id for row in first.items], first.next) == ([1, 2], 2)
        assert [row.id for row in (await mine.customers.page(Window(after=2))).items] == [3]
        assert first.items[0].full_name == "Customer 1"
        assert [row.id for row in (await mine.customers.page(Window(), grid_id=71)).items] == [3]
        assert (await mine.customers.page(Window(), grid_id=80)).items == []
        shown = await mine.connections.page(Window())
        assert [row.id for row in shown.items] == [ids[0], ids[1], ids[3]]
        assert (shown.items[0].currency, shown.items[0].paid, shown.items[0].rls_organization_id) == ("NGN", 0, 7)
        assert [row.id for row in (await mine.connections.page(Window(), grid_id=71)).items] == [ids[1]]
        assert (await mine.connections.page(Window(), grid_id=80)).items == []
        assert len((await tx.within(PLATFORM).connections.page(Window())).items) == 4


async def test_a_connection_is_stored_as_it_was_told(registers: Registers) -> None:
    """[API-82] [REL-46]"""
    new = a_connection(document_id="A123", upload_uuid="form-1", document_type=IdDocumentType.NATIONAL_ID)
    async with registers.begin() as tx:
        key = await tx.within(SUNNY).connections.add(new)
        await tx.commit()
    async with registers.begin() as tx:
        stored = (await tx.within(SUNNY).connections.lock([key]))[key]
        assert (stored.document_id, stored.document_type) == ("A123", IdDocumentType.NATIONAL_ID)
        assert (stored.external_system, stored.is_lifeline) == (ExternalSystem.EPICOLLECT, None)
        assert (stored.organization_id, stored.deleted_at, stored.women_impacted) == (7, None, 2)
        assert await tx.within(OTHER).connections.lock([key]) == {}


async def test_an_upload_id_is_taken_once(registers: Registers) -> None:
    """[API-82] [REL-46] Over all tenants; also by a change."""
    async with registers.begin() as tx:
        await tx.within(OTHER).connections.add(a_connection(4, upload_uuid="form-1"))
        free = await tx.within(SUNNY).connections.add(a_connection())
        await tx.commit()
    async with registers.begin() as tx:
        with pytest.raises(Conflict, match="A connection with this upload id already exists"):
            await tx.within(SUNNY).connections.add(a_connection(upload_uuid="form-1"))
    async with registers.begin() as tx:
        row = (await tx.within(SUNNY).connections.lock([free]))[free]
        with pytest.raises(Conflict, match="A connection with this upload id already exists"):
            await tx.within(SUNNY).connections.save([attrs.evolve(row, upload_uuid="form-1")])


async def test_changes_are_written_and_a_new_customer_brings_a_new_owner(registers: Registers) -> None:
    """[API-84] [REL-84]"""
    async with registers.begin() as tx:
        mine = tx.within(PLATFORM)
        ids = [await mine.connections.add(a_connection()) for _ in range(2)]
        rows = await mine.connections.lock(ids)
        moved = attrs.evolve(rows[ids[0]], customer_id=4, deleted_at=AT, external_system=None)
        await mine.connections.save([moved, attrs.evolve(rows[ids[1]], is_lifeline=True, document_id=None)])
        await mine.connections.save([])
        await tx.commit()
    async with registers.begin() as tx:
        seen = await tx.within(PLATFORM).connections.lock(ids)
        assert seen[ids[0]] == attrs.evolve(moved, organization_id=8)
        assert seen[ids[1]] == attrs.evolve(rows[ids[1]], is_lifeline=True, document_id=None)


async def test_requested_meters_and_what_is_owed_for_them(registers: Registers) -> None:
    """[API-83] [PAY-136] [REL-47] [REL-82] The sum over undeleted requests of undeleted connections."""
    async with registers.begin() as tx:
        mine = tx.within(SUNNY)
        kept, given_up = [await mine.connections.add(a_connection()) for _ in range(2)]
        for key in (kept, given_up):
            await mine.requested_meters.add(key, [BASIC, FULL])
        await mine.requested_meters.add(kept, [])
        rows = await mine.connections.lock([given_up])
        await mine.connections.save([attrs.evolve(rows[given_up], deleted_at=AT)])
        await mine.customers.sum_fees([1])
        assert await fee_of(mine, 1) == Decimal("8000.25")
        stored = await mine.requested_meters.of(kept)
        raised = attrs.evolve(stored[0], fee=Decimal(6000), meter_phase=MeterPhase.THREE_PHASE)
        changes = RequestedMeterChanges(added=[FULL], changed=[raised], deleted_ids=[stored[1].id])
        await mine.requested_meters.change(kept, changes)
        await mine.customers.sum_fees([1])
        await tx.commit()
    async with registers.begin() as tx:
        mine = tx.within(SUNNY)
        now = await mine.requested_meters.of(kept)
        assert list(now[:2]) == [raised, attrs.evolve(stored[1], is_deleted=True)]
        assert [(meter.meter_type, meter.fee) for meter in now[2:]] == [(MeterType.FS, 3000)]
        assert await fee_of(mine, 1) == 9000
        assert await tx.within(OTHER).requested_meters.of(kept) == []


async def fee_of(mine: Any, customer_id: int) -> Decimal:
    (row,) = [row for row in (await mine.customers.page(Window())).items if row.id == customer_id]
    return Decimal(row.total_connection_fee)
