"""Each day's business figures of grids, from rows of one plane to rows of the other (telemetry 11.1, PAY 16.4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from tests.support.revenue_world import KALONDA, LISTED, UMUOKE, PostgresRevenueWorld
from tests.support.series_stores import SqlWorld, sql_world

from nxt_adapters.memory.business import MemoryBusinessRows
from nxt_adapters.memory.database import MemoryClock
from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_adapters.timescale.business import TimescaleBusinessRows
from nxt_domain.telemetry.business import COUNTS, GridBusiness, daily_rental, due_day
from nxt_domain.telemetry.use_cases.snapshot_business import SnapshotBusiness

DAY = datetime(2026, 5, 9, tzinfo=UTC)
AT_ONE = DAY + timedelta(days=1, hours=1)
TUMBA = 90
GRIDS = {UMUOKE, KALONDA, 80, TUMBA}
A_MOMENT = timedelta(milliseconds=1)


class Village(PostgresRevenueWorld):
    """One grid with people of all kinds; the others have none that count."""

    def __init__(self, url: str, series: SqlWorld) -> None:
        super().__init__(url)
        self.clock = MemoryClock(AT_ONE)
        self.series = series
        self.rows = TimescaleBusinessRows(series.pool)
        self.snapshot = SnapshotBusiness(begin=self.begin, rows=self.rows, clock=self.clock)
        self.owner.execute(
            "update grids set monthly_rental = 450000, kwp = 60.5, kwh = 120, kwh_tariff_essential_service = 250,"
            " kwh_tariff_full_service = 300, default_hps_connection_fee = 15000,"
            " default_fs_1_phase_connection_fee = 40000, default_fs_3_phase_connection_fee = 60000 where id = %s",
            [TUMBA],
        )
        self._people = 0
        self._meters = 1000

    def live_in(self, *, hidden: bool = False, is_gone: bool = False) -> int:
        """Settle a customer; return its id."""
        self._people += 1
        number = 500 + self._people
        account = self.insert("accounts", id=number, deleted_at=DAY if is_gone else None)
        customer: int = self.insert(
            "customers", id=number, grid_id=TUMBA, account_id=account, is_hidden_from_reporting=hidden
        )
        return customer

    def connect(self, customer: int, *kinds: str, meters: int = 1, **changes: object) -> int:
        """Connect a customer, with so many meters: the first HPS, the second FS."""
        uses = {f"is_{use}": use in kinds for use in ("residential", "commercial", "public")}
        connection: int = self.insert(
            "connections", **{"customer_id": customer, "currency": "NGN", "women_impacted": 0, **uses, **changes}
        )
        for kind in ("HPS", "FS")[:meters]:
            self.install(connection, kind)
        return connection

    def install(self, connection: int, kind: str, *, issue: str | None = None, **changes: object) -> None:
        """Install a meter, with the issue that it encountered last."""
        self._meters += 1
        facts = {
            "id": self._meters, "external_reference": f"4800000{self._meters}", "external_system": "CALIN",
            "connection_id": connection, "rls_grid_id": TUMBA, "meter_type": kind,
        }  # fmt: skip
        meter = self.insert("meters", **{**facts, **changes})
        if issue is not None:
            closed = issue.startswith("CLOSED ")
            found = self.insert(
                "issues", issue_type=issue.removeprefix("CLOSED "), meter_id=meter,
                issue_status="CLOSED" if closed else "OPEN", closed_at=DAY if closed else None,
            )  # fmt: skip
            self.owner.execute("update meters set last_encountered_issue_id = %s where id = %s", [found, meter])

    async def row(self, grid_id: int = TUMBA) -> dict[str, Any]:
        found = await self.series.rows(
            "select to_jsonb(s) from grid_business_snapshot_1_d s where grid_id = %s", grid_id
        )
        ((row,),) = found
        return dict(row)


@pytest.fixture
async def village(request: pytest.FixtureRequest) -> AsyncIterator[Village]:
    async with sql_world(request.getfixturevalue("series_url")) as series:
        made = Village(request.getfixturevalue("relational_url"), series)
        yield made
        await made.close()


async def test_pay_173_revenue_rental_and_prices(village: Village) -> None:
    """[PAY-173] [TEL-133] [TEL-135] [TEL-136] [TEL-137] Of the UTC day before; of live, reported grids."""
    for amount, at in ((1, DAY), (2, DAY + timedelta(days=1) - A_MOMENT), (400, DAY - A_MOMENT), (800, AT_ONE)):
        village.order(TUMBA, amount, at)
    village.order(TUMBA, 4_000, DAY, meta_is_hidden_from_reporting=True)
    fees = {"meta_order_type": "CONNECTION_PAYMENT", "meta_is_hidden_from_reporting": True}
    village.order(TUMBA, 15_000, DAY, **fees)
    village.order(TUMBA, 5_000, DAY, meta_order_type="CONNECTION_REFUND")
    assert await village.snapshot() == len(GRIDS)
    row = await village.row()
    told = {name: row[name] for name in row if name.endswith(("revenue", "rental", "tariff", "fee"))}
    assert told == {
        "energy_topup_revenue": 3,
        "connection_fee_revenue": 10_000,
        "monthly_rental": 450_000,
        "daily_rental": 14_516.13,
        "hps_tariff": 250,
        "fs_tariff": 300,
        "hps_single_phase_connection_fee": 15_000,
        "fs_single_phase_connection_fee": 40_000,
        "fs_three_phase_connection_fee": 60_000,
    }
    assert (row["created_at"], row["kwp"], row["kwh"]) == ("2026-05-09T00:00:00", 60.5, 120)
    assert (row["grid_name"], row["organization_id"], row["organization_name"]) == ("Tumba", 9, "Organization 9")
    quiet = await village.row(KALONDA)
    assert (quiet["energy_topup_revenue"], quiet["connection_fee_revenue"]) == (0, 0), "and not unknown"
    assert {quiet[name] for name in COUNTS} == {0}
    assert LISTED == 9


async def test_tel_134_counts(village: Village) -> None:
    """[TEL-134] The section's example and its neighbours; hidden and gone people and dead meters are not in."""
    women = village.connect(village.live_in(), "residential", meters=2, women_impacted=3)
    both = village.connect(village.live_in(), "residential", "commercial", meters=0, women_impacted=2)
    village.install(both, "HPS", meter_phase="THREE_PHASE", issue="NO_CREDIT")
    village.install(both, "FS", issue="METER_NOT_ACTIVATED")
    unmetered = village.live_in()
    village.connect(unmetered, "public", meters=0, women_impacted=50, is_lifeline=True)
    school = village.connect(unmetered, "public", meters=0, is_lifeline=True)
    village.install(school, "HPS", issue="CLOSED NO_CREDIT")
    dead = village.connect(village.live_in(), "residential", meters=0, women_impacted=50)
    village.install(dead, "HPS", deleted_at=DAY, issue="TAMPER")
    for nobody in (village.live_in(hidden=True), village.live_in(is_gone=True)):
        village.connect(nobody, "residential", meters=2, women_impacted=50, is_lifeline=True)
    await village.snapshot()
    row = await village.row()
    assert women != both
    assert {name: row[name] for name in COUNTS if row[name]} == {
        "customer_count": 3,
        "residential_connection_count": 2,
        "commercial_connection_count": 1,
        "public_connection_count": 1,
        "total_connection_count": 4,
        "lifeline_connection_count": 2,
        "women_impacted_count": 3 + 2 + 2,
        "hps_meter_count": 3,
        "fs_meter_count": 2,
        "total_meter_count": 5,
        "single_phase_meter_count": 4,
        "three_phase_meter_count": 1,
        "no_credit_issue_count": 1,
        "not_activated_issue_count": 1,
        "total_issue_count": 2,
    }


async def test_tel_134_issues_by_type(village: Village) -> None:
    """[TEL-134] Each type in its column, as many times as meters have it; one without a column is in no total."""
    columns = {
        "NO_COMMUNICATION": "no_communication",
        "NO_CONSUMPTION": "no_consumption",
        "TAMPER": "tamper",
        "POWER_LIMIT_BREACHED": "power_limit_breached",
        "OVER_VOLTAGE": "over_voltage",
        "LOW_VOLTAGE": "low_voltage",
        "UNEXPECTED_POWER_LIMIT": "unexpected_power_limit",
        "UNEXPECTED_METER_STATUS": "unexpected_meter_status",
    }
    customer = village.live_in()
    expected = {}
    for times, (issue, column) in enumerate(columns.items(), start=1):
        expected[f"{column}_issue_count"] = times
        for _ in range(times):
            village.install(village.connect(customer, "residential", meters=0), "HPS", issue=issue)
    village.install(village.connect(customer, "residential", meters=0), "HPS", issue="NUMBER_OF_PHASES")
    await village.snapshot()
    row = await village.row()
    told = {name: row[name] for name in COUNTS if name.endswith("issue_count") and row[name]}
    assert told == {**expected, "total_issue_count": sum(range(1, 9))}


async def test_tel_138_a_repeat_and_others_columns(village: Village) -> None:
    """[TEL-138] [PAY-196] What other jobs know of the day stays; hourly runs change nothing, one by hand overwrites."""
    await village.series.execute(
        "insert into grid_business_snapshot_1_d (created_at, grid_id, battery_modules_on_count) values (%s, %s, 12)",
        DAY.replace(tzinfo=None),
        TUMBA,
    )
    assert await village.snapshot() == len(GRIDS), "a row that another job made first has no revenue yet"
    village.order(TUMBA, 500, DAY)
    assert await village.snapshot() == 0
    row = await village.row()
    assert (row["battery_modules_on_count"], row["energy_topup_revenue"], row["grid_name"]) == (12, 0, "Tumba")
    assert await village.snapshot.again() == len(GRIDS)
    row = await village.row()
    assert (row["battery_modules_on_count"], row["energy_topup_revenue"]) == (12, 500)


async def test_tel_66_what_was_missed_is_made_up_for() -> None:
    """[TEL-66] Within half a day; and of each grid once."""
    plane = MemoryPlane(MemoryClock(AT_ONE - timedelta(minutes=1)))
    rows = MemoryBusinessRows()
    nothing = Decimal(0)
    names = [field.name for field in attrs.fields(GridBusiness)]
    facts: dict[str, Any] = dict.fromkeys(names, nothing) | {"grid_name": "A", "organization_name": "B", "counts": {}}
    for grid_id in (1, 2):
        plane.begin().business_figures.know(GridBusiness(**{**facts, "grid_id": grid_id, "organization_id": 7}))
    snapshot = SnapshotBusiness(begin=plane.begin, rows=rows, clock=plane.clock)
    assert await snapshot() == 0, "not yet time"
    plane.clock.advance(timedelta(hours=11))
    assert (await snapshot(), await snapshot()) == (2, 0)
    assert set(rows.rows) == {(DAY, 1), (DAY, 2)}
    rows.rows.clear()
    plane.clock.advance(timedelta(hours=2))
    assert await snapshot() == 0, "too late for counts of yesterday"
    assert await snapshot.again() == 2


@pytest.mark.parametrize(
    ("month", "rental", "share"),
    [(5, "450000", "14516.13"), (2, "450000", "16071.43"), (4, "450000", "15000"), (1, "0", "0")],
)
def test_tel_137_a_days_share_of_the_rental(month: int, rental: str, share: str) -> None:
    """[TEL-137] [PAY-173] The section's example, and months of other lengths."""
    assert daily_rental(Decimal(rental), datetime(2026, month, 9, tzinfo=UTC)) == Decimal(share)


def test_tel_133_the_day_before() -> None:
    assert due_day(AT_ONE) == due_day(AT_ONE + timedelta(hours=11)) == DAY
    assert due_day(AT_ONE - A_MOMENT) is None
    assert due_day(AT_ONE + timedelta(hours=12)) is None
