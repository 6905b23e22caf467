"""``MeterRegister``, ``MeterSearch``, ``IssueRegister`` and ``NoteRegister``: one suite over memory and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import attrs
import pytest
from tests.support.registers import AT, OTHER, SUNNY, MemoryRegisters, PostgresRegisters

from nxt_domain.fieldwork.issues import IssueStatus, IssueType
from nxt_domain.identity.scope import PLATFORM, Scope
from nxt_domain.shared.errors import Conflict
from nxt_domain.shared.paging import Window

Registers = MemoryRegisters | PostgresRegisters


@pytest.fixture(params=["memory", "postgres"])
async def registers(request: pytest.FixtureRequest) -> AsyncIterator[Registers]:
    """Meters 1 and 2 on grid 70, 3 on 71, 4 the other tenant's on 80, 5 in stock, 6 deleted."""
    made: Registers
    if request.param == "memory":
        made = MemoryRegisters()
    else:
        made = PostgresRegisters(request.getfixturevalue("relational_url"))
        await made.seed()
    for customer_id, grid_id in ((1, 70), (3, 71), (4, 80)):
        await made.add_customer(customer_id, grid_id)
    for meter_id, customer_id in ((1, 1), (2, 1), (3, 3), (4, 4), (5, None)):
        await made.add_meter(meter_id, customer_id)
    await made.add_meter(6, 1, deleted_at=AT)
    yield made
    await made.close()


async def ids(register: Any, **narrowed: Any) -> list[int]:
    page = await register.page(narrowed.pop("window", Window()), **narrowed)
    return [row.id for row in page.items]


async def test_meters_are_listed(registers: Registers) -> None:
    """[R41] [API-64] Own tenant, by key, without those that are deleted or in stock."""
    async with registers.begin() as tx:
        mine = tx.within(SUNNY).meters
        assert await ids(mine) == [1, 2, 3]
        assert await ids(mine, grid_id=71) == [3]
        assert await ids(mine, grid_id=80) == []
        page = await mine.page(Window(limit=1, after=1))
        assert ([row.external_reference for row in page.items], page.next) == (["47000000002"], 2)
        assert page.items[0].rls_grid_id == 70
        assert await ids(tx.within(OTHER).meters) == [4]
        assert await ids(tx.within(PLATFORM).meters) == [1, 2, 3, 4, 5]
        assert await ids(tx.within(Scope(organization_id=None)).meters) == []


async def test_issues_are_listed(registers: Registers) -> None:
    """[R41] [API-64] Of a grid: its own and those of its meters."""
    for issue_id, meter_id, grid_id in ((1, 1, None), (2, None, 70), (3, 3, None), (4, 4, None), (5, None, 80)):
        await registers.add_issue(issue_id, meter_id=meter_id, grid_id=grid_id)
    async with registers.begin() as tx:
        mine = tx.within(SUNNY).issues
        assert await ids(mine) == [1, 2, 3]
        assert await ids(mine, grid_id=70) == [1, 2]
        assert await ids(mine, grid_id=70, window=Window(after=1)) == [2]
        assert await ids(mine, grid_id=80) == []
        assert await ids(tx.within(PLATFORM).issues, grid_id=80) == [4, 5]
        assert (await mine.page(Window(limit=2))).next == 2


async def test_issues_are_locked_changed_and_read(registers: Registers) -> None:
    """[API-95] [R39] Own tenant; what they are about comes along; at most one open issue of a meter."""
    for issue_id, meter_id, grid_id in ((1, 1, None), (2, None, 70), (4, 4, None)):
        await registers.add_issue(issue_id, meter_id=meter_id, grid_id=grid_id)
    async with registers.begin() as tx:
        mine = tx.within(SUNNY).issues
        stored = await mine.lock([1, 2, 4, 99])
        assert sorted(stored) == [1, 2]
        assert (stored[1].issue_type, stored[1].issue_status) == (IssueType.NO_CREDIT, IssueStatus.OPEN)
        assert (stored[1].meter_id, stored[2].grid_id, stored[2].organization_id) == (1, 70, 7)
        closed = attrs.evolve(
            stored[1],
            issue_status=IssueStatus.CLOSED,
            issue_type=IssueType.TAMPER,
            closed_at=AT,
            snoozed_until=AT,
            external_reference="OPS-1",
            estimated_lost_revenue=Decimal("12.5"),
        )
        await mine.save([closed, attrs.evolve(stored[2], grid_id=71)])
        await mine.save([])
        await tx.commit()
    async with registers.begin() as tx:
        mine = tx.within(SUNNY).issues
        assert (await mine.lock([1]))[1] == closed
        shown = await mine.read([1, 2, 4])
        assert sorted(shown) == [1, 2]
        assert (shown[1].issue_type, shown[1].closed_at, shown[1].external_reference) == ("TAMPER", AT, "OPS-1")
        assert (shown[2].grid_id, shown[2].meter, shown[2].mppt) == (71, None, None)
        assert await ids(mine, grid_id=71) == [2]
        await tx.commit()
    await registers.add_issue(7, meter_id=1)
    async with registers.begin() as tx:
        mine = tx.within(SUNNY).issues
        again = attrs.evolve((await mine.lock([1]))[1], issue_status=IssueStatus.OPEN)
        with pytest.raises(Conflict, match="another open issue"):
            await mine.save([again])


async def test_notes_are_listed(registers: Registers) -> None:
    """[R41] [API-64] Of a grid: on its customers and on its meters."""
    for note_id, meter_id, customer_id in ((1, 1, None), (2, None, 1), (3, None, 3), (4, None, 4), (5, 4, None)):
        await registers.add_note(note_id, meter_id=meter_id, customer_id=customer_id)
    async with registers.begin() as tx:
        mine = tx.within(SUNNY).notes
        assert await ids(mine) == [1, 2, 3]
        assert await ids(mine, grid_id=70) == [1, 2]
        assert await ids(mine, grid_id=80) == []
        assert await ids(tx.within(PLATFORM).notes, grid_id=80) == [4, 5]
        assert (await mine.page(Window(limit=1))).items[0].message == "Seal was open"


async def test_a_meter_that_is_not_ready_is_not_found(registers: Registers) -> None:
    """[API-102] Unknown, in stock, deleted, or not commissioned."""
    async with registers.begin() as tx:
        for number in ("47000000001", "47000000005", "47000000006", "47", "", "%"):
            assert await tx.meter_search.find(number) is None
