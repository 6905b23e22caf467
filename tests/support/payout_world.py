"""A grid with January's orders and plant, in memory and over both planes: the worked example of PAY 14.2 as rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import psycopg

from nxt_adapters.memory.database import MemoryClock
from nxt_adapters.memory.payouts import MemoryPlantHistory
from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_adapters.timescale.plant_history import TimescalePlantHistory
from nxt_domain.orders.mails import Reader
from nxt_domain.orders.payouts import PayoutGrid, PeriodRevenue
from nxt_domain.orders.use_cases.make_payout import PlantHistory
from tests.support.series_stores import SqlWorld

GRID, BARE, OWNER = 70, 71, 7
NOW = datetime(2026, 2, 1, 6, tzinfo=UTC)
# January in Lagos, an hour ahead of UTC.
START, END = datetime(2025, 12, 31, 23, tzinfo=UTC), datetime(2026, 1, 31, 23, tzinfo=UTC)
ACTIVE_DAYS = {"c1": 31, "c2": 30, "c3": 28}
PAYOUT = Decimal("2781536.895")
EXAMPLE = PayoutGrid(
    id=GRID,
    name="Kalonda",
    timezone="Africa/Lagos",
    organization_id=OWNER,
    kwh_tariff=Decimal("9.5"),
    kwp_tariff=Decimal(14),
    kwh_per_module=Decimal("3.55"),
    is_generation_managed=True,
)
REVENUE = PeriodRevenue(
    energy=Decimal(4_200_000),
    connection_fees=Decimal(150_000),
    own=Decimal(0),
    unassigned_own=Decimal(0),
    connection_count=1,
    meter_count=2,
)


class World:
    """What a test needs of either world."""

    begin: Any
    plants: PlantHistory

    async def postings(self, key: str) -> Mapping[str, Decimal]:
        async with self.begin() as tx:
            found = (await tx.ledger.find([key])).get(key)
        return {} if found is None else {leg.account: leg.amount for leg in found.postings}

    async def tasks(self, kind: str) -> list[str]:
        raise NotImplementedError

    async def drafts(self) -> list[str]:
        return await self.tasks("PAYOUT_DRAFT")

    async def forget_rates(self) -> None:
        raise NotImplementedError

    async def forget_batteries(self) -> None:
        raise NotImplementedError

    def hire_finance(self, organization_id: int) -> None:
        """Two finance members of an organization; where rows can say so, also some who are not told."""
        raise NotImplementedError

    async def mails(self) -> list[dict[str, Any]]:
        """Read what waits to be sent, oldest first."""
        raise NotImplementedError

    async def repair_bare_grid(self) -> None:
        raise NotImplementedError


class Memory(World):
    def __init__(self) -> None:
        self.plane = MemoryPlane(MemoryClock(NOW))
        self.begin = self.plane.begin
        payouts = self.plane.begin().payouts
        payouts.know(EXAMPLE, REVENUE, is_automatic=True)
        payouts.know(attrs.evolve(EXAMPLE, id=BARE, name="Sora", kwh_per_module=None), is_automatic=True)
        self.history = MemoryPlantHistory(rates={END: Decimal("1532.46")})
        self.plants = self.history
        for place in range(31):
            self.history.modules[GRID, date(2026, 1, 1) + timedelta(days=place)] = 12
            self.history.modules[BARE, date(2026, 1, 1) + timedelta(days=place)] = 12
        for reference, active in ACTIVE_DAYS.items():
            self.history.controllers[GRID, reference] = Decimal("5.8")
            for place in range(31):
                noon = START + timedelta(days=place, hours=12)
                self.history.peaks[GRID, reference, noon] = Decimal("1.75" if place < active else "1.74")

    async def tasks(self, kind: str) -> list[str]:
        rows = self.plane.database.table("outbox_tasks").values()
        return sorted(row.dedupe_key for row in rows if row.kind == kind)

    async def forget_rates(self) -> None:
        self.history.rates.clear()

    async def forget_batteries(self) -> None:
        self.history.modules.clear()

    def hire_finance(self, organization_id: int) -> None:
        for number in (1, 2):
            reader = Reader(account_id=200 + number, email=f"finance-{number}@example.org")
            self.plane.begin().mails.know_reader(organization_id, reader)

    async def mails(self) -> list[dict[str, Any]]:
        return [
            {
                "email": reader.email,
                "subject": report.subject,
                "type": report.type.value,
                "organization_id": report.organization_id,
                "parameters": report.parameters,
            }
            for report, reader in self.plane.begin().mails.stored
        ]

    async def repair_bare_grid(self) -> None:
        self.plane.begin().payouts.know(attrs.evolve(EXAMPLE, id=BARE, name="Sora"), is_automatic=True)


class Stores(World):
    def __init__(self, url: str, series: SqlWorld) -> None:
        self.url = url
        self.engine = create_engine(url, pool_size=4)
        self.begin = lambda: SupabaseUnitOfWork(self.engine, messages_of=lambda session: NotImplemented)
        self.series = series
        self.plants = TimescalePlantHistory(series.pool)
        with psycopg.connect(url, autocommit=True) as owner:
            _seed(owner)

    async def seed_series(self) -> None:
        """January of the plant; the last day of December and the first of February don't count."""
        run = self.series.execute
        await run(
            "insert into exchange_rate_snapshot_1_d (period_start, from_currency, to_currency, value, created_at)"
            " select d, 'USD', 'NGN', case when d = %s then 1532.46 else 9999 end, d"
            " from generate_series(%s::timestamp, %s::timestamp, '1 day') d",
            _naive(END),
            _naive(START),
            _naive(END + timedelta(days=1)),
        )
        await run(
            "insert into grid_business_snapshot_1_d (created_at, grid_id, battery_modules_on_count)"
            " select d, g, case when d between '2026-01-01' and '2026-01-31' then 12 else 99 end"
            " from generate_series('2025-12-31'::timestamp, '2026-02-01', '1 day') d, unnest(%s::int[]) g",
            [GRID, BARE],
        )
        for place, (reference, active) in enumerate(ACTIVE_DAYS.items()):
            await run(
                "insert into mppt_asset_snapshot_1_d (created_at, mppt_id, mppt_external_reference, mppt_kw, grid_id)"
                " values ('2026-01-02', %s, %s, 99, %s), ('2026-01-20', %s, %s, 5.8, %s)",
                place,
                reference,
                GRID,
                place,
                reference,
                GRID,
            )
            await run(
                "insert into mppt_energy_snapshot_15_min (created_at, mppt_id, mppt_external_reference, kw, grid_id)"
                " select d + '12 hours'::interval, %s, %s, case when n <= %s then 1.75 else 1.74 end, %s"
                " from generate_series(%s::timestamp, '2026-02-02', '1 day') with ordinality as days(d, n)"
                " union all select '2025-12-31 22:45', %s, %s, 5.8, %s",
                place,
                reference,
                active,
                GRID,
                _naive(START),
                place,
                reference,
                GRID,
            )

    async def tasks(self, kind: str) -> list[str]:
        async with self.engine.connect() as connection:
            rows = await connection.exec_driver_sql(
                "select dedupe_key from internal.outbox_tasks where kind = %s order by id", (kind,)
            )
            return [row.dedupe_key for row in rows]

    async def forget_rates(self) -> None:
        await self.series.execute("delete from exchange_rate_snapshot_1_d")

    async def forget_batteries(self) -> None:
        await self.series.execute("delete from grid_business_snapshot_1_d")

    def hire_finance(self, organization_id: int) -> None:
        with psycopg.connect(self.url, autocommit=True) as owner:
            owner.execute(
                "insert into organizations (id, name) values (%s, 'Platform') on conflict do nothing", [organization_id]
            )
            for number, (kind, address, is_gone, organization) in enumerate(
                [
                    ("FINANCE", "finance-1@example.org", False, organization_id),
                    ("FINANCE", "finance-2@example.org", False, organization_id),
                    ("FINANCE", None, False, organization_id),
                    ("FINANCE", "gone@example.org", True, organization_id),
                    ("FINANCE", "tenant@example.org", False, OWNER),
                    ("MANAGER", "manager@example.org", False, organization_id),
                ],
                start=201,
            ):
                owner.execute(
                    "insert into accounts (id, email, organization_id, deleted_at) values (%s, %s, %s, %s)",
                    [number, address, organization, NOW if is_gone else None],
                )
                owner.execute("insert into members (account_id, member_type) values (%s, %s)", [number, kind])

    async def mails(self) -> list[dict[str, Any]]:
        async with self.engine.connect() as connection:
            rows = await connection.exec_driver_sql(
                "select n.*, p.parameters from notifications n"
                " join notification_parameters p on p.id = n.notification_parameter_id order by n.id"
            )
            found = rows.all()
        channels = {(row.carrier_external_system, row.connector_external_system) for row in found}
        assert channels <= {("SENDGRID", "SENDGRID")}
        assert {row.notification_status for row in found} <= {"PENDING"}
        return [
            {
                "email": row.email,
                "subject": row.subject,
                "type": row.notification_type,
                "organization_id": row.organization_id,
                "parameters": row.parameters,
            }
            for row in found
        ]

    async def repair_bare_grid(self) -> None:
        async with self.engine.begin() as connection:
            await connection.exec_driver_sql("update grids set kwh_per_battery_module = 3.55 where id = %s", (BARE,))


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _seed(owner: psycopg.Connection[Any]) -> None:
    """A grid with January's orders: among them some that don't count."""
    for statement in (
        "insert into organizations (id, name) values (7, 'Sunny')",
        (
            "insert into grids (id, name, organization_id, timezone, kwh_tariff, kwp_tariff, kwh_per_battery_module,"
            " is_generation_managed_by_nxt_grid, is_hidden_from_reporting, is_automatic_payout_generation_enabled)"
            " values (70, 'Kalonda', 7, 'Africa/Lagos', 9.5, 14, 3.55, true, false, true),"
            " (71, 'Sora', 7, 'Africa/Lagos', 9.5, 14, null, true, false, true),"
            " (72, 'Hidden', 7, 'Africa/Lagos', 9.5, 14, 3.55, true, true, true),"
            " (73, 'By hand', 7, 'Africa/Lagos', 9.5, 14, 3.55, true, false, false)"
        ),
        "insert into accounts (id, full_name) values (1, 'Operator'), (9, null), (10, null)",
        (
            "insert into customers (id, grid_id, account_id, is_hidden_from_reporting) values (9, 70, 9, false),"
            " (10, 70, 10, true)"
        ),
        (
            "insert into connections (id, customer_id, currency, women_impacted, is_public, is_commercial,"
            " is_residential) values (9, 9, 'NGN', 1, false, false, true), (10, 10, 'NGN', 1, false, false, true),"
            " (11, 9, 'NGN', 1, false, false, true)"
        ),
        (
            "insert into meters (id, external_reference, external_system, communication_protocol, connection_id,"
            " rls_grid_id, meter_type) values (1, '47001771471', 'CALIN', 'CALIN_LORAWAN', 9, 70, 'HPS'),"
            " (2, '47001771472', 'CALIN', 'CALIN_LORAWAN', 9, 70, 'FS'),"
            " (3, '47001771473', 'CALIN', 'CALIN_LORAWAN', 10, 70, 'HPS')"
        ),
        "insert into wallets (id, organization_id) values (900001, 7)",
        "insert into wallets (id, meter_id) values (900002, 1)",
    ):
        owner.execute(statement)
    for amount, kind, created_at, changes in (
        (4_199_000, "ENERGY_TOPUP", START, {}),
        (1_000, "ENERGY_TOPUP", END - timedelta(milliseconds=1), {}),
        (160_000, "CONNECTION_PAYMENT", START, {"meta_is_hidden_from_reporting": True}),
        (10_000, "CONNECTION_REFUND", START, {}),
        (77, "ENERGY_TOPUP", END, {}),
        (77, "ENERGY_TOPUP", START - timedelta(milliseconds=1), {}),
        (77, "ENERGY_TOPUP", START, {"meta_is_hidden_from_reporting": True}),
        (77, "ENERGY_TOPUP", START, {"order_status": "FAILED"}),
        (77, "ENERGY_TOPUP", START, {"reversed_at": END}),
        (77, "ENERGY_TOPUP", START, {"historical_grid_id": 71}),
        (77, "AGENT_TOPUP", START, {}),
    ):
        columns = {
            "amount": amount,
            "currency": "NGN",
            "sender_wallet_id": 900001,
            "receiver_wallet_id": 900002,
            "meta_order_type": kind,
            "created_at": created_at,
            "order_status": "PENDING",
            "historical_grid_id": 70,
            "rls_organization_id": 7,
            "meta_is_hidden_from_reporting": False,
        }
        ended = {"order_status": "COMPLETED", **changes}
        names, places = ", ".join(columns), ", ".join(["%s"] * len(columns))
        order = owner.execute(f"insert into orders ({names}) values ({places}) returning id", [*columns.values()])
        sets = ", ".join(f"{name} = %s" for name in ended)
        owner.execute(f"update orders set {sets} where id = %s", [*ended.values(), *order.fetchone()])
