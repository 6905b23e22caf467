"""Lost revenue over both planes: the worked example of PAY 17 from rows, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import psycopg
import pytest
from tests.support.identity_world import ADMIN, MEMBER, IdentityWorld
from tests.support.series_stores import sql_world

from nxt_adapters.memory.database import MemoryClock
from nxt_adapters.memory.grid_sales import MemoryDailyUse
from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_adapters.timescale.daily_use import TimescaleDailyUse
from nxt_domain.grids.tariffs import MeterType
from nxt_domain.identity.scope import PLATFORM
from nxt_domain.orders.lost_revenue import AssignedMeter, LastIssue
from nxt_domain.orders.use_cases.show_lost_revenue import DailyUse, GridSales, ShowLostRevenue
from nxt_domain.shared.errors import NotFound

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
GRID, EMPTY = 70, 71
A, B, HEALTHY, OTHER_HEALTHY, FS = 1, 2, 3, 4, 5
ISSUES = {
    A: ("NO_CREDIT", "OPEN", "2026-03-08T18:00Z", None),
    B: ("NO_CONSUMPTION", "CLOSED", "2026-02-20T10:00Z", "2026-03-02T06:00Z"),
}
HOURS: list[tuple[int, str, str | None]] = [
    (HEALTHY, "2026-03-01T05:00Z", "0.60"),
    (HEALTHY, "2026-03-01T06:00Z", "0.50"),
    (OTHER_HEALTHY, "2026-03-01T06:00Z", "0.58"),
    (HEALTHY, "2026-03-02T06:00Z", "0.90"),
    (OTHER_HEALTHY, "2026-03-02T06:00Z", None),
    (OTHER_HEALTHY, "2026-03-02T07:00Z", "-3"),
    (HEALTHY, "2026-03-08T06:00Z", "1.20"),
    (A, "2026-03-08T06:00Z", "99"),
    (FS, "2026-03-08T06:00Z", "99"),
    (HEALTHY, "2026-02-28T23:00Z", "99"),
]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


class Memory:
    def __init__(self) -> None:
        self.plane = MemoryPlane(MemoryClock(NOW))
        self.begin: Any = self.plane.begin
        use = MemoryDailyUse()
        for meter, hour, kwh in HOURS:
            use.know(meter, at(hour), None if kwh is None else Decimal(kwh))
        self.use: DailyUse = use
        sales = self.plane.begin().within(PLATFORM).sales
        meters = [
            AssignedMeter(
                meter_id=meter,
                meter_type=MeterType.FS if meter == FS else MeterType.HPS,
                last_issue=_issue(meter),
            )
            for meter in (A, B, HEALTHY, OTHER_HEALTHY, FS)
        ]
        tariffs = {"essential_tariff": Decimal(300), "full_tariff": Decimal(350)}
        sales.know(GRID, 7, GridSales(**tariffs, meters=meters))
        sales.know(EMPTY, 7, GridSales(**tariffs, meters=()))


def _issue(meter: int) -> LastIssue | None:
    if meter not in ISSUES:
        return None
    kind, status, created, closed = ISSUES[meter]
    return LastIssue(
        issue_type=kind, status=status, created_at=at(created), closed_at=None if closed is None else at(closed)
    )


class Stores:
    def __init__(self, url: str, use: DailyUse) -> None:
        self.engine = create_engine(url, pool_size=2)
        self.begin: Any = lambda: SupabaseUnitOfWork(self.engine, messages_of=lambda session: NotImplemented)
        self.use = use
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute("insert into organizations (id, name) values (7, 'Sunny')")
            owner.execute(
                "insert into grids (id, name, organization_id, kwh_tariff_essential_service, kwh_tariff_full_service)"
                " values (%s, 'Kalonda', 7, 300, 350), (%s, 'Sora', 7, 300, 350)",
                (GRID, EMPTY),
            )
            owner.execute(
                "insert into dcus (id, external_reference, external_system, communication_protocol, grid_id)"
                " values (1, 'gw', 'CALIN', 'CALIN_LORAWAN', %s)",
                (GRID,),
            )
            owner.execute("insert into accounts (id) values (9)")
            owner.execute("insert into customers (id, grid_id, account_id) values (9, %s, 9)", (GRID,))
            owner.execute(
                "insert into connections (id, customer_id, currency, women_impacted, is_public, is_commercial,"
                " is_residential) values (9, 9, 'NGN', 1, false, false, true), (10, 9, 'NGN', 1, false, false, true),"
                " (11, 9, 'NGN', 1, false, false, true), (12, 9, 'NGN', 1, false, false, true)"
            )
            for place, meter in enumerate((A, B, HEALTHY, OTHER_HEALTHY)):
                self._meter(owner, meter, "HPS", 9 + place)
            self._meter(owner, FS, "FS", 9)
            for meter, (kind, status, created, closed) in ISSUES.items():
                owner.execute(
                    "with made as (insert into issues (issue_type, issue_status, created_at, closed_at, started_at,"
                    " meter_id) values (%s, %s, %s, %s, %s, %s) returning id)"
                    " update meters set last_encountered_issue_id = made.id from made where meters.id = %s",
                    (kind, status, created, closed, created, meter, meter),
                )

    @staticmethod
    def _meter(owner: psycopg.Connection[Any], meter: int, kind: str, connection: int) -> None:
        owner.execute(
            "insert into meters (id, external_reference, external_system, communication_protocol, connection_id,"
            " rls_grid_id, dcu_id, meter_type) values (%s, %s, 'CALIN', 'CALIN_LORAWAN', %s, %s, 1, %s)",
            (meter, f"4700177147{meter}", connection, GRID, kind),
        )


@pytest.fixture(params=["memory", "stores"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[Memory | Stores]:
    if request.param == "memory":
        yield Memory()
        return
    async with sql_world(request.getfixturevalue("series_url")) as series:
        for meter, hour, kwh in HOURS:
            value = "NaN" if kwh is None else kwh
            await series.execute(
                "insert into meter_snapshot_1_h (created_at, meter_id, consumption_kwh) values (%s, %s, %s)",
                at(hour).replace(tzinfo=None),
                meter,
                value,
            )
        made = Stores(request.getfixturevalue("relational_url"), TimescaleDailyUse(series.pool))
        yield made
        await made.engine.dispose()


def showing(world: Memory | Stores, now: datetime = NOW) -> ShowLostRevenue:
    return ShowLostRevenue(begin=world.begin, use=world.use, clock=MemoryClock(now))


async def test_the_worked_example(world: Memory | Stores) -> None:
    """[PAY-180] [PAY-185] [PAY-186] [API-101] 410 in all; unknown and negative values and other tiers don't count."""
    callers = IdentityWorld()
    found = await showing(world)(await callers.user(callers.token(MEMBER)), GRID)
    assert found.hps is not None
    assert found.fs is not None
    assert found.hps.total == Decimal(410)
    assert found.hps.worst_day is not None
    day, kwh = found.hps.worst_day
    assert (day.isoformat(), kwh) == ("2026-03-01", Decimal("0.84"))
    assert (found.fs.total, found.fs.worst_day) == (Decimal(0), None)


async def test_early_answers(world: Memory | Stores) -> None:
    """[PAY-181] No meters: nothing can be said. No meter losing money: nothing was lost."""
    callers = IdentityWorld()
    caller = await callers.user(callers.token(MEMBER))
    empty = await showing(world)(caller, EMPTY)
    assert (empty.hps, empty.fs) == (None, None)
    before = await showing(world, NOW - timedelta(days=60))(caller, GRID)
    assert before.hps is not None
    later = await showing(world, datetime(2026, 3, 10, 12, tzinfo=UTC))(caller, GRID)
    assert not later.is_unscathed


async def test_a_foreign_grid_is_unknown(world: Memory | Stores) -> None:
    """[R39]"""
    callers = IdentityWorld()
    callers.accounts.put(attrs.evolve(MEMBER, organization_id=8))
    with pytest.raises(NotFound, match="Could not find grid with id 70"):
        await showing(world)(await callers.user(callers.token(MEMBER)), GRID)
    with pytest.raises(NotFound):
        await showing(world)(await callers.user(callers.token(ADMIN)), 999)
