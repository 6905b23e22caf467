"""Organizations with grids that sold energy, in memory and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg

from nxt_adapters.memory.database import MemoryClock
from nxt_adapters.memory.revenue import KnownAgent, Sale
from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_domain.orders.mails import Reader
from nxt_domain.orders.revenue_report import CommercialIssue, ReportGrid

NOW = datetime(2026, 3, 10, 10, tzinfo=UTC)
MONTH = datetime(2026, 2, 28, 23, tzinfo=UTC)
LAST_MONTH = datetime(2026, 1, 31, 23, tzinfo=UTC)
SAME_POINT = datetime(2026, 2, 10, 10, tzinfo=UTC)
A_MOMENT = timedelta(milliseconds=1)
SUNNY, WINDY, LISTED, SILENT = 7, 8, 9, 10
UMUOKE, KALONDA, ELSEWHERE = 70, 71, 80
ADA, BEN = 31, 32
GRIDS = {
    UMUOKE: (SUNNY, ReportGrid(id=UMUOKE, name="Umuoke", timezone="Africa/Lagos", monthly_rental=Decimal(1000))),
    KALONDA: (SUNNY, ReportGrid(id=KALONDA, name="Kalonda", timezone="Africa/Lagos", monthly_rental=Decimal(0))),
    ELSEWHERE: (WINDY, ReportGrid(id=ELSEWHERE, name="Sora", timezone="Africa/Lagos", monthly_rental=Decimal(500))),
    90: (LISTED, ReportGrid(id=90, name="Tumba", timezone="Africa/Lagos", monthly_rental=Decimal(0))),
}
MARKED = {SUNNY: True, WINDY: True, LISTED: False, SILENT: False}
# Grid, amount, moment, customer, agent. Each edge of each window has one just inside and one just outside.
SALES: list[tuple[int, int, datetime, int, int | None]] = [
    (UMUOKE, 1, LAST_MONTH - A_MOMENT, 1, ADA),
    (UMUOKE, 2, LAST_MONTH, 1, ADA),
    (UMUOKE, 4, SAME_POINT - A_MOMENT, 1, None),
    (UMUOKE, 8, SAME_POINT, 2, ADA),
    (UMUOKE, 16, MONTH - A_MOMENT, 3, None),
    (UMUOKE, 32, MONTH, 4, ADA),
    (UMUOKE, 64, NOW - A_MOMENT, 2, BEN),
    (UMUOKE, 128, NOW, 2, ADA),
    (KALONDA, 256, MONTH, 5, None),
    (ELSEWHERE, 512, MONTH, 6, None),
]
ISSUES = [(number, MONTH + timedelta(days=6 - number)) for number in range(1, 7)]


class MemoryRevenueWorld:
    """Everything in memory."""

    def __init__(self) -> None:
        self.clock = MemoryClock(NOW)
        self.plane = MemoryPlane(self.clock)
        self.begin: Any = self.plane.begin
        tx = self.plane.begin()
        for organization_id, is_marked in MARKED.items():
            mine = [grid for owner, grid in GRIDS.values() if owner == organization_id]
            tx.revenue_figures.know(organization_id, *mine, is_marked=is_marked)
            reader = Reader(account_id=organization_id * 10, email=f"finance-{organization_id}@example.org")
            tx.mails.know_reader(organization_id, reader)
        for grid_id, amount, at, customer, agent in SALES:
            sale = Sale(grid_id=grid_id, amount=Decimal(amount), created_at=at, customer_id=customer, agent_id=agent)
            tx.revenue_figures.sell(sale)
            tx.revenue_figures.know_customer(customer, f"Customer {customer}")
        for agent, name in ((ADA, "Ada"), (BEN, "Ben")):
            tx.revenue_figures.know_agent(KnownAgent(id=agent, grid_id=UMUOKE, full_name=name))
        for number, started_at in ISSUES:
            tx.revenue_figures.open_issue(
                CommercialIssue(
                    grid_id=UMUOKE,
                    issue_type="NO_CREDIT" if number % 2 else "NO_CONSUMPTION",
                    started_at=started_at,
                    customer_full_name="Customer 1",
                    meter_id=number,
                    meter_external_reference=f"4700177147{number}",
                )
            )

    async def mails(self) -> list[tuple[str, str, Any]]:
        return [(reader.email, report.subject, report.parameters) for report, reader in self.begin().mails.stored]

    async def alerts(self) -> list[str]:
        rows = self.plane.database.table("outbox_tasks").values()
        return [str(row.dedupe_key).split(":2026", 1)[0] for row in rows]


class PostgresRevenueWorld:
    """The same as rows, and among them some that don't count."""

    def __init__(self, url: str) -> None:
        self.clock = MemoryClock(NOW)
        self.engine = create_engine(url, pool_size=4)
        self.begin: Any = lambda: SupabaseUnitOfWork(self.engine, messages_of=lambda session: NotImplemented)
        self.owner = psycopg.connect(url, autocommit=True)
        self._seed()

    async def close(self) -> None:
        """Close the connections."""
        self.owner.close()
        await self.engine.dispose()

    async def mails(self) -> list[tuple[str, str, Any]]:
        rows = self.owner.execute(
            "select n.email, n.subject, p.parameters, n.notification_type, n.organization_id,"
            " n.carrier_external_system, n.connector_external_system, n.notification_status from notifications n"
            " join notification_parameters p on p.id = n.notification_parameter_id order by n.id"
        ).fetchall()
        assert {row[3] for row in rows} <= {"GRID_REVENUE"}
        assert {row[5:] for row in rows} <= {("SENDGRID", "SENDGRID", "PENDING")}
        assert [row[0] for row in rows] == [f"finance-{row[4]}@example.org" for row in rows]
        return [row[:3] for row in rows]

    async def alerts(self) -> list[str]:
        rows = self.owner.execute("select dedupe_key from internal.outbox_tasks order by id").fetchall()
        return [str(key).split(":2026", 1)[0] for (key,) in rows]

    def insert(self, table: str, **values: object) -> Any:
        """Insert a row; return its id."""
        names, places = ", ".join(values), ", ".join(["%s"] * len(values))
        row = self.owner.execute(f"insert into {table} ({names}) values ({places}) returning id", [*values.values()])
        found = row.fetchone()
        assert found is not None
        return found[0]

    def order(self, grid_id: int | None, amount: int, at: datetime, **changes: object) -> None:
        """Insert a settled order."""
        columns = {
            "amount": amount, "currency": "NGN", "order_status": "PENDING", "created_at": at,
            "sender_wallet_id": 900001, "receiver_wallet_id": 900002, "historical_grid_id": grid_id,
            "rls_organization_id": SUNNY, "meta_order_type": "ENERGY_TOPUP", "meta_is_hidden_from_reporting": False,
        }  # fmt: skip
        ended = {"order_status": "COMPLETED"} | {
            name: changes.pop(name) for name in ("order_status", "reversed_at") if name in changes
        }
        number = self.insert("orders", **{**columns, **changes})
        sets = ", ".join(f"{name} = %s" for name in ended)
        self.owner.execute(f"update orders set {sets} where id = %s", [*ended.values(), number])

    def _seed(self) -> None:
        for organization_id, is_marked in MARKED.items():
            self.insert(
                "organizations",
                id=organization_id,
                name=f"Organization {organization_id}",
                is_revenue_report_enabled=is_marked,
            )
            account = self.insert(
                "accounts",
                id=organization_id * 10,
                email=f"finance-{organization_id}@example.org",
                organization_id=organization_id,
            )
            self.insert("members", account_id=account, member_type="FINANCE")
        self.insert("organizations", id=11, name="Gone", is_revenue_report_enabled=True, deleted_at=NOW)
        for owner, grid in GRIDS.values():
            self.insert(
                "grids",
                id=grid.id,
                name=grid.name,
                organization_id=owner,
                timezone=grid.timezone,
                monthly_rental=grid.monthly_rental,
                is_hidden_from_reporting=False,
            )
        self.insert("grids", id=98, name="Hidden", organization_id=SUNNY, is_hidden_from_reporting=True)
        self.insert("grids", id=99, name="Gone", organization_id=SUNNY, is_hidden_from_reporting=False, deleted_at=NOW)
        self.insert("wallets", id=900001, organization_id=SUNNY)
        self._seed_people()
        self._seed_sales()

    def _seed_people(self) -> None:
        for agent, name, deleted_at in ((ADA, "Ada", None), (BEN, "Ben", None), (33, "Cy", NOW)):
            account = self.insert("accounts", id=300 + agent, full_name=name, deleted_at=deleted_at)
            self.insert("agents", id=agent, account_id=account, grid_id=UMUOKE)
        self.insert("accounts", id=400, full_name="Customer 1")
        self.insert("customers", id=1, grid_id=UMUOKE, account_id=400)
        for number, started_at in ISSUES:
            self._issue(number, started_at, "NO_CREDIT" if number % 2 else "NO_CONSUMPTION")
        self._issue(7, MONTH - timedelta(days=9), "TAMPER")
        self._issue(8, MONTH - timedelta(days=9), "NO_CREDIT", issue_status="CLOSED", closed_at=MONTH)
        self.insert("wallets", id=900002, meter_id=1)

    def _issue(self, number: int, started_at: datetime, kind: str, **changes: object) -> None:
        connection = self.insert(
            "connections", customer_id=1, currency="NGN", women_impacted=0, is_public=False, is_commercial=False,
            is_residential=True,
        )  # fmt: skip
        meter = self.insert(
            "meters", id=number, external_reference=f"4700177147{number}", external_system="CALIN",
            connection_id=connection, rls_grid_id=UMUOKE,
        )  # fmt: skip
        self.insert("issues", issue_type=kind, started_at=started_at, meter_id=meter, **changes)

    def _seed_sales(self) -> None:
        for grid_id, amount, at, customer, agent in SALES:
            buyer = {"meta_receiver_id_part_2": customer, "meta_receiver_name_part_2": f"Customer {customer}"}
            seller = {"meta_sender_type": "AGENT", "meta_sender_id": agent} if agent else {}
            self.order(grid_id, amount, at, **buyer, **seller)
        # Of each kind one that never counts, but for agents, whose figures leave nothing out that was settled.
        for changes in (
            {"meta_is_hidden_from_reporting": True},
            {"meta_is_hidden_from_reporting": None},
            {"reversed_at": NOW},
            {"order_status": "FAILED"},
            {"meta_order_type": "CONNECTION_PAYMENT"},
            {"historical_grid_id": 98},
        ):
            self.order(UMUOKE, 10_000, MONTH, meta_receiver_id_part_2=1, **changes)
