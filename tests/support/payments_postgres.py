"""The village that pays, in PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import dict_row
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.memory.database import MemoryClock
from nxt_adapters.supabase.audit import PostgresAuditTrail
from nxt_adapters.supabase.gateway_charges import PostgresCharges
from nxt_adapters.supabase.gateway_events import PostgresGatewayEvents
from nxt_adapters.supabase.ledger import PostgresLedger
from nxt_adapters.supabase.notices import PostgresNotices
from nxt_adapters.supabase.orders import PostgresOrders
from nxt_adapters.supabase.outbox import PostgresOutbox
from nxt_adapters.supabase.settlements import PostgresSettlementFailures, PostgresSettlements
from nxt_adapters.supabase.suspense import PostgresSuspenseResolutions
from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_adapters.supabase.ussd_sessions import PostgresUssdSessions
from tests.support.payments_world import (
    FREE_METER,
    METER,
    NEW_METER,
    ORGANIZATION_NAME,
    PLATFORM_ORGANIZATION,
    UNREADY_METER,
    PaymentsWorld,
    Row,
)


class PaymentsTransaction(PostgresTransaction):
    """What payments need of the relational plane, composed for tests."""

    @property
    def outbox(self) -> PostgresOutbox:
        return PostgresOutbox(self.session)

    @property
    def orders(self) -> PostgresOrders:
        return PostgresOrders(self.session)

    @property
    def charges(self) -> PostgresCharges:
        return PostgresCharges(self.session)

    @property
    def gateway_events(self) -> PostgresGatewayEvents:
        return PostgresGatewayEvents(self.session)

    @property
    def audit(self) -> PostgresAuditTrail:
        return PostgresAuditTrail(self.session)

    @property
    def ledger(self) -> PostgresLedger:
        return PostgresLedger(self.session)

    @property
    def notices(self) -> PostgresNotices:
        return PostgresNotices(self.session)

    @property
    def ussd_sessions(self) -> PostgresUssdSessions:
        return PostgresUssdSessions(self.connection)

    @property
    def suspense(self) -> PostgresSuspenseResolutions:
        return PostgresSuspenseResolutions(self.connection)

    @property
    def settlements(self) -> PostgresSettlements:
        return PostgresSettlements(self.session)

    @property
    def settlement_failures(self) -> PostgresSettlementFailures:
        return PostgresSettlementFailures(self.session)


class PostgresWorld(PaymentsWorld):
    """The village in PostgreSQL.

    Args:
        url: Of the migrated database, as its owner.
        engine: As the application.
    """

    def __init__(self, url: str, engine: AsyncEngine) -> None:
        super().__init__()
        # Near the database's own clock, which the audit goes by.
        self.clock = MemoryClock(datetime.now(UTC))
        self.engine = engine
        self.owner = psycopg.connect(url, autocommit=True, row_factory=dict_row)
        self._build()

    def begin(self) -> PaymentsTransaction:
        return PaymentsTransaction(self.engine)

    async def close(self) -> None:
        self.owner.close()
        await self.engine.dispose()

    def one(self, statement: str, *parameters: object) -> Any:
        """Run a statement as the owner and return the first value."""
        row = self.owner.execute(statement, parameters).fetchone()  # type: ignore[arg-type]  # a literal of the test
        return None if row is None else next(iter(row.values()))

    def all(self, statement: str, *parameters: object) -> list[dict[str, Any]]:
        """Run a query as the owner."""
        return self.owner.execute(statement, parameters).fetchall()  # type: ignore[arg-type]  # a literal of the test

    async def phone_session(self, phone: str, account_id: int | None = None) -> int:
        return int(
            self.one(
                "insert into ussd_sessions (phone, account_id, external_system) values (%s, %s, 'AFRICASTALKING')"
                " returning id",
                phone,
                account_id,
            )
        )

    async def rows(self, order_id: int) -> list[Row]:
        found = self.all("select * from transactions where order_id = %s order by id", order_id)
        return [
            Row(
                amount=row["amount"],
                wallet_id=row["wallet_id"],
                status=row["transaction_status"],
                before=row["balance_before"],
                after=row["balance_after"],
            )
            for row in found
        ]

    async def messages(self) -> list[str]:
        return [f"{row['phone']}: {row['message']}" for row in self.all("select * from notifications order by id")]

    async def alerts(self) -> list[str]:
        query = "select payload ->> 'code' as code from internal.outbox_tasks where kind = 'ALERT' order by id"
        return [row["code"] for row in self.all(query)]

    async def waiting_events(self) -> list[int]:
        query = "select id from internal.gateway_events where processed_at is null order by id"
        return [row["id"] for row in self.all(query)]

    async def paid_fees(self) -> Decimal:
        return Decimal(self.one("select paid from connections where id = %s", self.connection_id))

    def _build(self) -> None:
        one = self.one
        self._add_banking_system()
        self.organization_id = one("insert into organizations (name) values (%s) returning id", ORGANIZATION_NAME)
        self.grid_id = self.add_grid("Kalonda", 300)
        self.agent_account_id = self.add_account("Agent of Kalonda", "2348030000041")
        agent = one(
            "insert into agents (grid_id, account_id) values (%s, %s) returning id", self.grid_id, self.agent_account_id
        )
        customer = self.add_customer(self.grid_id, "2348030000042")
        self.connection_id = self.add_connection(customer)
        self.organization_wallet = self.add_wallet("organization_id", self.organization_id)
        self.agent_wallet = self.add_wallet("agent_id", agent)
        self.connection_wallet = self.add_wallet("connection_id", self.connection_id, "VIRTUAL")
        self.customer_wallet = self.add_wallet("customer_id", customer)
        self.meter_wallet = self.add_wallet("meter_id", self.add_meter(METER, self.connection_id, self.grid_id))
        self.add_meter(NEW_METER, self.add_connection(customer), self.grid_id)
        unready = self.add_meter(UNREADY_METER, self.add_connection(customer), self.grid_id)
        self.one(
            "update meter_commissionings c set meter_commissioning_status = 'PROCESSING'"
            " from metering_hardware_install_sessions s"
            " where s.id = c.metering_hardware_install_session_id and s.meter_id = %s returning c.id",
            unready,
        )
        free_grid = self.add_grid("Sora", 0)
        free_connection = self.add_connection(self.add_customer(free_grid, "2348030000043"))
        self.free_meter_wallet = self.add_wallet("meter_id", self.add_meter(FREE_METER, free_connection, free_grid))

    def _add_banking_system(self) -> None:
        if self.one("select id from wallets where identifier = 'BANKING_SYSTEM'") is None:
            self.one("insert into wallets (id, identifier) values (%s, 'BANKING_SYSTEM') returning id", self.system)
        self.one(
            "insert into organizations (id, name) values (%s, 'Platform') on conflict do nothing returning id",
            PLATFORM_ORGANIZATION,
        )
        self.one("select setval(pg_get_serial_sequence('organizations', 'id'), 100)")
        self.one("select setval(pg_get_serial_sequence('wallets', 'id'), 2000)")

    def add_grid(self, name: str, tariff: int) -> int:
        return int(
            self.one(
                "insert into grids (name, organization_id, kwh_tariff_essential_service, kwh_tariff_full_service,"
                " is_hidden_from_reporting) values (%s, %s, %s, 350, false) returning id",
                name,
                self.organization_id,
                tariff,
            )
        )

    def add_account(self, name: str, phone: str) -> int:
        return int(self.one("insert into accounts (full_name, phone) values (%s, %s) returning id", name, phone))

    def add_customer(self, grid_id: int, phone: str) -> int:
        account = self.add_account("Customer of Kalonda", phone)
        return int(
            self.one("insert into customers (grid_id, account_id) values (%s, %s) returning id", grid_id, account)
        )

    def add_connection(self, customer_id: int) -> int:
        return int(
            self.one(
                "insert into connections (customer_id, currency, women_impacted, is_public, is_commercial,"
                " is_residential) values (%s, 'NGN', 1, false, false, true) returning id",
                customer_id,
            )
        )

    def add_meter(self, number: str, connection_id: int, grid_id: int) -> int:
        """Add a meter that is installed and ready."""
        meter = self.one(
            "insert into meters (external_reference, external_system, connection_id, rls_grid_id)"
            " values (%s, 'CALIN', %s, %s) returning id",
            number,
            connection_id,
            grid_id,
        )
        session = self.one("insert into metering_hardware_install_sessions (meter_id) values (%s) returning id", meter)
        commissioning = self.one(
            "insert into meter_commissionings (metering_hardware_install_session_id, meter_commissioning_status)"
            " values (%s, 'SUCCESSFUL') returning id",
            session,
        )
        self.one(
            "update metering_hardware_install_sessions set last_meter_commissioning_id = %s where id = %s returning id",
            commissioning,
            session,
        )
        self.one(
            "update meters set last_metering_hardware_install_session_id = %s where id = %s returning id",
            session,
            meter,
        )
        return int(meter)

    def add_wallet(self, owner: str, owner_id: int, wallet_type: str = "REAL") -> int:
        return int(
            self.one(f"insert into wallets ({owner}, wallet_type) values (%s, %s) returning id", owner_id, wallet_type)
        )
