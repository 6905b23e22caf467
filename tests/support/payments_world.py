"""A village that pays: one organization, one agent, two meters, a connection; in memory and in PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

import attrs
import psycopg
from psycopg.rows import dict_row
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.flutterwave.events import read_event
from nxt_adapters.memory.database import MemoryClock, MemoryDatabase
from nxt_adapters.memory.gateway_payments import MemoryMerchantAccounts
from nxt_adapters.memory.payments import MemoryPayments
from nxt_adapters.memory.wakeups import MemoryWakeUps
from nxt_adapters.supabase.gateway_charges import PostgresCharges
from nxt_adapters.supabase.gateway_events import PostgresGatewayEvents
from nxt_adapters.supabase.ledger import PostgresLedger
from nxt_adapters.supabase.notices import PostgresNotices
from nxt_adapters.supabase.orders import PostgresOrders
from nxt_adapters.supabase.outbox import PostgresOutbox
from nxt_adapters.supabase.settlements import PostgresSettlementFailures, PostgresSettlements
from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_domain.grids.tariffs import MeterType, TariffFacts
from nxt_domain.meters.use_cases.top_ups import TopUpRequest
from nxt_domain.orders.gateway import GatewayTransaction, PaymentState
from nxt_domain.orders.meta import Author, Party
from nxt_domain.orders.model import AccountType, ActorType, Order, PaymentChannel, PaymentMethod
from nxt_domain.orders.notices import Contact
from nxt_domain.orders.ports import MeterForSale, OrdersTransaction
from nxt_domain.orders.use_cases.gateway_events import ProcessGatewayEvents, ReceiveGatewayEvent
from nxt_domain.orders.use_cases.place_order import OrderDraft, OrderPlacement
from nxt_domain.orders.use_cases.public_orders import InitialisePublicOrder, PublicPurchase
from nxt_domain.orders.use_cases.reconcile import ReconcileGatewayOrders
from nxt_domain.orders.use_cases.settle_orders import SettleOrders
from nxt_domain.orders.use_cases.verification import PaymentVerification
from nxt_domain.shared.money import Currency
from nxt_domain.shared.outbox import OutboxTask
from nxt_domain.wallets.accounts import manual_account, wallet_account
from nxt_domain.wallets.model import Entry, EntryType, Posting

SYSTEM_WALLET = 968
PLATFORM_ORGANIZATION = 2
ORGANIZATION_NAME = "Sun Power Ltd"
METER, FREE_METER = "47001771477", "47001771485"
NEW_METER, UNREADY_METER = "47001771493", "47001771501"


class PaymentsTransaction(PostgresTransaction):
    """What payments need of the relational plane, composed for tests."""

    @property
    def outbox(self) -> PostgresOutbox:
        return PostgresOutbox(self.connection)

    @property
    def orders(self) -> PostgresOrders:
        return PostgresOrders(self.connection)

    @property
    def charges(self) -> PostgresCharges:
        return PostgresCharges(self.connection)

    @property
    def gateway_events(self) -> PostgresGatewayEvents:
        return PostgresGatewayEvents(self.connection)

    @property
    def ledger(self) -> PostgresLedger:
        return PostgresLedger(self.connection)

    @property
    def notices(self) -> PostgresNotices:
        return PostgresNotices(self.connection)

    @property
    def settlements(self) -> PostgresSettlements:
        return PostgresSettlements(self.connection)

    @property
    def settlement_failures(self) -> PostgresSettlementFailures:
        return PostgresSettlementFailures(self.connection)


class Transaction(OrdersTransaction, Protocol):
    """Either kind of transaction; settlement's repositories included."""

    settlements: Any
    settlement_failures: Any


class RecordingTopUps:
    """Stands for the meters' room: remembers the requests of transactions that asked, and may refuse."""

    def __init__(self) -> None:
        self.requests: list[TopUpRequest] = []
        self.refuse: Callable[[TopUpRequest], None] = lambda _request: None

    async def create_for_orders(self, tx: object, requests: Sequence[TopUpRequest]) -> None:
        for request in requests:
            self.refuse(request)
        self.requests += requests

    def of(self, order_id: int) -> list[TopUpRequest]:
        return [request for request in self.requests if request.order_id == order_id]


@attrs.frozen(kw_only=True)
class Row:
    """A row of ``transactions``."""

    amount: Decimal
    wallet_id: int
    status: str
    before: Decimal
    after: Decimal


class PaymentsWorld:
    """Everything around the use cases; ``open_memory`` and ``open_postgres`` fill in the stores.

    The essential tariff is 300; the second meter has none (own 0 is missing, its grid sells at 0).
    """

    def __init__(self) -> None:
        self.clock = MemoryClock()
        self.wake_ups = MemoryWakeUps()
        self.accounts = MemoryMerchantAccounts()
        self.top_ups = RecordingTopUps()
        self.system = SYSTEM_WALLET
        self.organization_wallet = self.agent_wallet = self.customer_wallet = 0
        self.meter_wallet = self.free_meter_wallet = self.connection_wallet = 0
        self.organization_id = self.grid_id = self.connection_id = self.agent_account_id = 0

    def begin(self) -> Any:
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of the store."""

    # -- use cases ------------------------------------------------------------------------------

    @property
    def placement(self) -> OrderPlacement:
        return OrderPlacement(clock=self.clock, platform_organization_id=PLATFORM_ORGANIZATION)

    @property
    def initialise(self) -> InitialisePublicOrder:
        return InitialisePublicOrder(
            begin=self.begin,
            placement=self.placement,
            accounts=self.accounts,
            clock=self.clock,
            system_wallet_id=self.system,
            is_production=True,
        )

    @property
    def verification(self) -> PaymentVerification:
        return PaymentVerification(begin=self.begin, accounts=self.accounts, clock=self.clock, wake_ups=self.wake_ups)

    @property
    def receive(self) -> ReceiveGatewayEvent:
        return ReceiveGatewayEvent(begin=self.begin, read_event=read_event, wake_ups=self.wake_ups)

    @property
    def process(self) -> ProcessGatewayEvents:
        return ProcessGatewayEvents(begin=self.begin, verification=self.verification, clock=self.clock)

    @property
    def reconcile(self) -> ReconcileGatewayOrders:
        return ReconcileGatewayOrders(begin=self.begin, verification=self.verification, clock=self.clock)

    def settle(self, batch_size: int = 200) -> SettleOrders[Any]:
        return SettleOrders(
            begin=self.begin,
            top_ups=self.top_ups,
            clock=self.clock,
            wake_ups=self.wake_ups,
            batch_size=batch_size,
        )

    # -- shortcuts ------------------------------------------------------------------------------

    async def buy(
        self,
        amount: str = "1000",
        reference: str | None = None,
        *,
        meter: str = METER,
        currency: Currency = Currency.NGN,
    ) -> Order:
        """Begin a purchase on the public page."""
        bought = await self.initialise(
            PublicPurchase(
                meter_external_reference=meter,
                amount=Decimal(amount),
                currency=currency,
                payment_channel=PaymentChannel.NIFFLER,
                external_reference=reference,
            )
        )
        return await self.order(bought.order_id)

    async def send(self, sender: int, receiver: int, amount: str) -> Order:
        """Place an order that a wallet pays."""
        async with self.begin() as tx:
            order: Order = await self.placement.from_wallet(
                tx,
                OrderDraft(
                    sender_wallet_id=sender,
                    receiver_wallet_id=receiver,
                    amount=Decimal(amount),
                    currency=Currency.NGN,
                    channel=PaymentChannel.AYRTON,
                ),
            )
            await tx.commit()
        return order

    async def fund(self, wallet_id: int, amount: str, key: str = "funding") -> None:
        """Give a wallet money from outside."""
        postings = [Posting(wallet_account(wallet_id), Decimal(amount)), Posting(manual_account(), -Decimal(amount))]
        entry = Entry(key=f"{key}:{wallet_id}", entry_type=EntryType.ADJUSTMENT, postings=postings, memo="test")
        async with self.begin() as tx:
            await tx.ledger.post([entry])
            await tx.commit()

    def pay(self, order: Order, *, tx_id: str = "8321945", amount: str | None = None, **changes: Any) -> None:
        """Let the payer pay (or fail to) at the gateway, without a webhook."""
        facts: dict[str, Any] = {
            "id": tx_id,
            "reference": order.external_reference,
            "state": PaymentState.PAID,
            "status": "successful",
            "amount": order.amount if amount is None else Decimal(amount),
            "currency": "NGN",
            "payment_type": "card",
            "method": PaymentMethod.CREDIT_CARD,
        }
        self.accounts.platform.put(GatewayTransaction(**(facts | changes)))

    def refuse(self, order: Order, *, tx_id: str = "8321945") -> None:
        """Let the bank refuse."""
        self.pay(order, tx_id=tx_id, state=PaymentState.REFUSED, status="failed")

    async def webhook(self, order: Order, *, tx_id: str = "8321945", status: str = "successful") -> bool:
        """Deliver a webhook and work off what it left."""
        body = {
            "event": "charge.completed",
            "data": {"id": int(tx_id), "tx_ref": order.external_reference, "status": status, "amount": 1},
        }
        is_new = await self.receive("platform", body)
        await self.process(await self.waiting_events())
        return is_new

    async def order(self, order_id: int) -> Order:
        async with self.begin() as tx:
            found: Order | None = await tx.orders.find(order_id=order_id)
        assert found is not None
        return found

    async def balance(self, wallet_id: int) -> Decimal:
        code = wallet_account(wallet_id)
        async with self.begin() as tx:
            balances = await tx.ledger.balances([code])
        return Decimal(balances[code])

    async def suspense(self) -> Decimal:
        code = "suspense:gateway:platform"
        async with self.begin() as tx:
            return Decimal((await tx.ledger.balances([code]))[code])

    # -- what the stores show -------------------------------------------------------------------

    async def rows(self, order_id: int) -> list[Row]:
        raise NotImplementedError

    async def messages(self) -> list[str]:
        raise NotImplementedError

    async def alerts(self) -> list[str]:
        raise NotImplementedError

    async def waiting_events(self) -> list[int]:
        raise NotImplementedError

    async def paid_fees(self) -> Decimal:
        raise NotImplementedError


def _tariffs(essential: str) -> TariffFacts:
    return TariffFacts(
        meter_type=MeterType.HPS,
        own_tariff=None,
        essential_tariff=Decimal(essential),
        full_tariff=Decimal(350),
        is_dual_meter_grid=False,
    )


class MemoryWorld(PaymentsWorld):
    """The village in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.database = MemoryDatabase(self.clock)
        self.organization_wallet, self.agent_wallet, self.meter_wallet, self.free_meter_wallet = 5, 17, 230, 231
        self.connection_wallet, self.customer_wallet = 300, 301
        self.organization_id, self.grid_id, self.connection_id, self.agent_account_id = 9, 50, 70, 41
        orders = MemoryPayments(self.database).orders
        place: dict[str, Any] = {
            "currency": Currency.NGN,
            "grid_id": 50,
            "is_grid_hidden": False,
            "organization_id": 9,
        }
        people: dict[str, Any] = place | {
            "customer_id": 60,
            "customer_name": "Customer of Kalonda",
            "is_customer_hidden": False,
        }
        customer = Contact(account_id=42, phone="2348030000042")
        orders.know_wallet(Party(wallet_id=968, currency=Currency.NGN, actor=ActorType.BANKING_SYSTEM))
        orders.know_wallet(
            Party(
                wallet_id=5,
                currency=Currency.NGN,
                actor=ActorType.ORGANIZATION,
                owner_id=9,
                name=ORGANIZATION_NAME,
                organization_id=9,
            )
        )
        orders.know_wallet(
            Party(wallet_id=17, actor=ActorType.AGENT, owner_id=31, name="Agent of Kalonda", **place),
            Contact(account_id=41, phone="2348030000041"),
        )
        for wallet_id, meter_id, number, tariff in ((230, 80, METER, "300"), (231, 81, FREE_METER, "0")):
            party = Party(
                wallet_id=wallet_id,
                actor=ActorType.METER,
                owner_id=meter_id,
                name=number,
                tariffs=_tariffs(tariff),
                **people,
            )
            orders.know_wallet(party, customer)
        orders.know_wallet(
            Party(wallet_id=300, actor=ActorType.CONNECTION, owner_id=70, name="survey-1", **people), customer
        )
        orders.know_wallet(
            Party(wallet_id=301, actor=ActorType.CUSTOMER, owner_id=60, name="Customer of Kalonda", **people)
        )
        orders.know_meter(
            MeterForSale(
                id=80,
                external_reference=METER,
                wallet_id=230,
                is_ready=True,
                customer_id=60,
                customer_name="Customer of Kalonda",
                grid_id=50,
                grid_name="Kalonda",
                organization_id=9,
                organization_name=ORGANIZATION_NAME,
                tariffs=_tariffs("300"),
            )
        )
        known = self.begin().orders
        ready = self.database.table("meters_for_sale")[METER]
        known.know_meter(attrs.evolve(ready, id=82, external_reference=NEW_METER, wallet_id=None))
        known.know_meter(attrs.evolve(ready, id=83, external_reference=UNREADY_METER, is_ready=False))
        orders.know_author(Author(account_id=41, account_type=AccountType.AGENT, role_id=31, name="Agent of Kalonda"))

    def begin(self) -> MemoryPayments:
        return MemoryPayments(self.database)

    async def rows(self, order_id: int) -> list[Row]:
        return [
            Row(
                amount=row.amount,
                wallet_id=row.wallet_id,
                status="SUCCESSFUL" if row.is_successful else "FAILED",
                before=row.balance_before,
                after=row.balance_after,
            )
            for row in self.begin().settlements.rows(order_id)
        ]

    async def messages(self) -> list[str]:
        return [f"{notice.phone}: {notice.message}" for notice in self.begin().notices.all()]

    async def alerts(self) -> list[str]:
        tasks: Sequence[OutboxTask] = list(self.database.table("outbox_tasks").values())
        return [str(task.payload["code"]) for task in tasks if task.kind == "ALERT"]

    async def waiting_events(self) -> list[int]:
        return [event_id for event_id, result in self.begin().gateway_events.results().items() if result is None]

    async def paid_fees(self) -> Decimal:
        return self.begin().settlements.paid(self.connection_id)


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
