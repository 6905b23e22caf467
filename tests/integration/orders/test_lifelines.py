"""Classifying connections by their use, over both planes (PAY 18)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.series_stores import SqlWorld, sql_world

from nxt_adapters.memory.database import MemoryClock
from nxt_adapters.memory.lifelines import MemoryConnectionUse
from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_adapters.timescale.connection_use import TimescaleConnectionUse
from nxt_domain.grids.lifeline import LifelineGrid
from nxt_domain.grids.use_cases.classify_lifelines import Classified, ClassifyLifelines, ConnectionUse
from nxt_domain.shared.errors import Unavailable

NOW = datetime(2026, 3, 10, 5, tzinfo=UTC)
TODAY = datetime(2026, 3, 10, tzinfo=UTC)
FIRST = TODAY - timedelta(days=30)
GRID = LifelineGrid(id=70, kwh_threshold=5, days=30)
LITTLE, EXACT, BAD_HOUR, NOTHING, TOO_EARLY, TOO_LATE, UNKNOWN = range(1, 8)
USED: dict[int, list[tuple[datetime, str | None]]] = {
    LITTLE: [(FIRST, "2.1"), (TODAY - timedelta(hours=1), "2.2")],
    EXACT: [(FIRST, "2.5"), (FIRST + timedelta(hours=1), "2.5")],
    BAD_HOUR: [(FIRST, "40"), (FIRST + timedelta(hours=1), "2.4"), (FIRST + timedelta(hours=2), "2.5")],
    TOO_EARLY: [(FIRST - timedelta(hours=1), "1")],
    TOO_LATE: [(TODAY, "1"), (FIRST, "-1")],
    UNKNOWN: [(FIRST, None)],
}
EXPECTED = {
    LITTLE: True,
    EXACT: False,
    BAD_HOUR: True,
    NOTHING: False,
    TOO_EARLY: False,
    TOO_LATE: False,
    UNKNOWN: False,
}


class Memory:
    def __init__(self) -> None:
        self.plane = MemoryPlane(MemoryClock(NOW))
        self.begin: Any = self.plane.begin
        self.lifelines = self.plane.begin().lifelines
        self.lifelines.know(GRID, EXPECTED)
        self.fake = MemoryConnectionUse()
        self.use: ConnectionUse = self.fake
        for connection, hours in USED.items():
            for hour, kwh in hours:
                self.fake.know(connection, hour, None if kwh is None else Decimal(kwh))

    async def verdicts(self) -> dict[int, bool | None]:
        return {connection: self.lifelines.verdict(connection) for connection in EXPECTED}


class Stores:
    def __init__(self, url: str, series: SqlWorld) -> None:
        self.engine = create_engine(url, pool_size=2)
        self.begin: Any = lambda: SupabaseUnitOfWork(self.engine, messages_of=lambda session: NotImplemented)
        self.use: ConnectionUse = TimescaleConnectionUse(series.pool)
        self.owner = psycopg.connect(url, autocommit=True)
        self.owner.execute("insert into organizations (id, name) values (7, 'Sunny')")
        self.owner.execute(
            "insert into grids (id, name, organization_id, is_hidden_from_reporting) values (70, 'Kalonda', 7, false),"
            " (71, 'Hidden', 7, true)"
        )
        self.owner.execute(
            "insert into accounts (id, deleted_at) values (9, null), (10, null), (11, now()), (12, null)"
        )
        self.owner.execute(
            "insert into customers (id, grid_id, account_id, is_hidden_from_reporting) values (9, 70, 9, false),"
            " (10, 70, 10, true), (11, 70, 11, false), (12, 71, 12, false)"
        )
        for connection in EXPECTED:
            self._connection(connection, 9)
        # Those of hidden, deleted and hidden grids' people, and a deleted one, stay as they are.
        for connection, customer in ((101, 10), (102, 11), (103, 12), (104, 9)):
            self._connection(connection, customer)
        self.owner.execute("update connections set deleted_at = now() where id = 104")

    def _connection(self, connection: int, customer: int) -> None:
        self.owner.execute(
            "insert into connections (id, customer_id, currency, women_impacted, is_public, is_commercial,"
            " is_residential) values (%s, %s, 'NGN', 1, false, false, true)",
            (connection, customer),
        )

    async def verdicts(self) -> dict[int, bool | None]:
        rows = dict(self.owner.execute("select id, is_lifeline from connections").fetchall())
        assert [rows.pop(other) for other in (101, 102, 103, 104)] == [None] * 4
        return rows


@pytest.fixture(params=["memory", "stores"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[Memory | Stores]:
    if request.param == "memory":
        yield Memory()
        return
    async with sql_world(request.getfixturevalue("series_url")) as series:
        for meter, (connection, hours) in enumerate(USED.items()):
            for hour, kwh in hours:
                await series.execute(
                    "insert into meter_snapshot_1_h (created_at, meter_id, connection_id, consumption_kwh)"
                    " values (%s, %s, %s, %s)",
                    hour.replace(tzinfo=None),
                    meter,
                    connection,
                    "NaN" if kwh is None else kwh,
                )
        made = Stores(request.getfixturevalue("relational_url"), series)
        yield made
        made.owner.close()
        await made.engine.dispose()


async def test_who_is_a_lifeline(world: Memory | Stores) -> None:
    """[PAY-187] [PAY-188] [PAY-198] 16: the examples of 18; a second run changes nothing."""
    classify = ClassifyLifelines(begin=world.begin, use=world.use, clock=MemoryClock(NOW))
    assert await classify() == Classified(changed=len(EXPECTED))
    assert await world.verdicts() == EXPECTED
    assert await classify() == Classified()


async def test_a_grid_that_fails_keeps_its_values() -> None:
    """[PAY-190] And holds up no other."""
    world = Memory()
    other = LifelineGrid(id=71, kwh_threshold=5, days=30)
    world.lifelines.know(other, [50])
    await ClassifyLifelines(begin=world.begin, use=world.use, clock=MemoryClock(NOW))()

    class AwayFor70(MemoryConnectionUse):
        async def totals_kwh(self, connection_ids: Any, start: datetime, end: datetime) -> Any:
            if LITTLE in connection_ids:
                raise Unavailable("the series store is away")
            return {50: Decimal(1)}

    done = await ClassifyLifelines(begin=world.begin, use=AwayFor70(), clock=MemoryClock(NOW))()
    assert done == Classified(changed=1, failed_grids=1)
    assert await world.verdicts() == EXPECTED
    assert world.lifelines.verdict(50) is True
    tasks = world.plane.database.table("outbox_tasks").values()
    assert [task.dedupe_key.split(":")[:4] for task in tasks] == [["alert", "LIFELINES_NOT_CLASSIFIED", "grid", "70"]]


@given(used=st.none() | st.decimals(0, 1000, places=3), threshold=st.integers(1, 100))
def test_strictly_less(used: Decimal | None, threshold: int) -> None:
    """[PAY-188]"""
    grid = LifelineGrid(id=1, kwh_threshold=threshold, days=30)
    assert grid.is_lifeline(used) == (used is not None and used < threshold)
