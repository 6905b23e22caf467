"""A predecessor's books with everything that went wrong in them, beside a migrated database without any."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

import psycopg

from nxt_adapters.memory.take_over import MemoryOldBooks
from nxt_domain.orders.old_books import OldOrder, OldRow, OldWallet
from nxt_domain.orders.states import OrderStatus
from nxt_domain.orders.take_over import money
from tests.support.ledger import connect

SYSTEM, ORG, AGENT, METER, CONNECTION, OWNERLESS = 968, 5, 17, 40, 41, 60
LOOSE_METERS = (61, 62, 63)

# What deployed databases have: floats, and none of the checks that came later (relational-schema 4.6).
OLD_TABLES = """
    create schema predecessor;
    create table predecessor.wallets (like public.wallets including defaults);
    create table predecessor.orders (like public.orders including defaults);
    create table predecessor.transactions (like public.transactions including defaults);
    alter table predecessor.wallets alter balance type double precision, drop currency;
    alter table predecessor.orders alter amount type double precision, alter tariff type double precision,
        alter sender_wallet_id drop not null, alter receiver_wallet_id drop not null,
        drop routing_organization_id, drop failure_code, drop failure_message, drop settled_at, drop reversed_at;
    alter table predecessor.transactions alter amount type double precision, alter wallet_id drop not null,
        alter order_id drop not null, alter balance_before type double precision,
        alter balance_after type double precision;
    create index on predecessor.transactions (wallet_id, transaction_status, created_at);
    create index on predecessor.transactions (order_id);
    alter table predecessor.wallets add primary key (id);
    alter table predecessor.orders add primary key (id);
    alter table predecessor.transactions add primary key (id);
    """
OWNERS = """
    insert into public.organizations (id, name) values (2, 'Platform'), (9, 'Sun Power');
    insert into public.grids (id, name, organization_id) values (3, 'Kiri', 9);
    insert into public.accounts (id, full_name, organization_id) values (70, 'Ada', 9), (71, 'Bem', 9);
    insert into public.agents (id, account_id, grid_id) values (7, 70, 3);
    insert into public.customers (id, account_id, grid_id) values (8, 71, 3);
    insert into public.connections (id, customer_id, currency, paid, women_impacted, upload_uuid, is_public,
        is_commercial, is_residential, is_using_led_bulbs)
    values (4, 8, 'NGN', 2000, 0, 'u-4', false, false, true, true);
    update public.customers set total_connection_paid = 2000 where id = 8;
    insert into public.meters (id, external_reference, external_system, communication_protocol)
    select n, '4700100' || lpad(n::text, 4, '0'), 'CALIN', 'CALIN_LORAWAN' from generate_series(1, 4) n;
    """


class Writer(Protocol):
    """Takes down a predecessor's books."""

    def wallet(self, wallet_id: int, balance: float, **owner: object) -> None:
        """Add a wallet."""

    def order(self, order_id: int, amount: float, *, ends: tuple[int | None, int | None], **facts: object) -> None:
        """Add an order from ``ends[0]`` to ``ends[1]``."""

    def rows(self, order_id: int | None, *sides: tuple[int | None, float], status: str = "SUCCESSFUL") -> None:
        """Add rows of an order: (wallet, amount)."""


class Predecessor:
    """Makes the tables and fills them.

    Args:
        url: Of a migrated relational database; the login owns it.
        with_owners: Whether to make what wallets of ``fill`` belong to.
    """

    def __init__(self, url: str, *, with_owners: bool = True) -> None:
        self.url = url
        self.session: psycopg.Connection[Any] = connect(url, role=None)
        self.session.execute(OLD_TABLES)
        if with_owners:
            self.session.execute(OWNERS)
        self._row = 0

    def close(self) -> None:
        """Let go of the database."""
        self.session.close()

    def wallet(self, wallet_id: int, balance: float, **owner: object) -> None:
        """Add a wallet."""
        names, values = ["id", "balance", *owner], [wallet_id, balance, *owner.values()]
        self._insert("wallets", names, values)

    def order(self, order_id: int, amount: float, *, ends: tuple[int | None, int | None], **facts: object) -> None:
        """Add an order from ``ends[0]`` to ``ends[1]``."""
        known = {"currency": "NGN", "order_status": "COMPLETED", "historical_grid_id": 3} | facts
        names = ["id", "amount", "sender_wallet_id", "receiver_wallet_id", *known]
        self._insert("orders", names, [order_id, amount, *ends, *known.values()])

    def rows(self, order_id: int | None, *sides: tuple[int | None, float], status: str = "SUCCESSFUL") -> None:
        """Add rows of an order: (wallet, amount)."""
        for wallet_id, amount in sides:
            self._row += 1
            names = ["id", "amount", "transaction_status", "wallet_id", "order_id"]
            self._insert("transactions", names, [self._row, amount, status, wallet_id, order_id])

    def _insert(self, table: str, names: Sequence[str], values: Sequence[object]) -> None:
        marks = ", ".join(["%s"] * len(values))
        self.session.execute(f"insert into predecessor.{table} ({', '.join(names)}) values ({marks})", values)  # type: ignore[arg-type]


class InMemory:
    """Takes down books as the entities that a reader gives."""

    def __init__(self) -> None:
        self._wallets: list[tuple[int, float, dict[str, object]]] = []
        self._orders: list[tuple[int, float, tuple[int | None, int | None], dict[str, Any]]] = []
        self._rows: list[OldRow] = []

    def wallet(self, wallet_id: int, balance: float, **owner: object) -> None:
        """Add a wallet."""
        self._wallets.append((wallet_id, balance, owner))

    def order(self, order_id: int, amount: float, *, ends: tuple[int | None, int | None], **facts: object) -> None:
        """Add an order from ``ends[0]`` to ``ends[1]``."""
        self._orders.append((order_id, amount, ends, facts))

    def rows(self, order_id: int | None, *sides: tuple[int | None, float], status: str = "SUCCESSFUL") -> None:
        """Add rows of an order: (wallet, amount)."""
        for wallet_id, amount in sides:
            row = OldRow(
                id=len(self._rows) + 1,
                amount=Decimal(repr(amount)),
                is_successful=status == "SUCCESSFUL",
                wallet_id=wallet_id,
                order_id=order_id,
                balance_before=Decimal(-1),
                balance_after=Decimal(-1),
                created_at=datetime(2026, 1, 1, tzinfo=UTC),
            )
            self._rows.append(row)

    def books(self) -> MemoryOldBooks:
        """Return what was taken down."""
        known = {order_id for order_id, *_ in self._orders}
        return MemoryOldBooks(
            wallets=[self._wallet(*one) for one in self._wallets],
            orders=[self._order(*one) for one in self._orders],
            loose_rows=[row for row in self._rows if row.order_id not in known],
        )

    def _wallet(self, wallet_id: int, balance: float, owner: dict[str, object]) -> OldWallet:
        posted = [money(row.amount) or 0 for row in self._rows if row.is_successful and row.wallet_id == wallet_id]
        return OldWallet(
            id=wallet_id,
            identifier=str(owner["identifier"]) if "identifier" in owner else None,
            owners=sum(name.endswith("_id") for name in owner),
            balance=Decimal(repr(balance)),
            posted=Decimal(sum(posted)),
            columns={"id": wallet_id, **owner},
        )

    def _order(
        self, order_id: int, amount: float, ends: tuple[int | None, int | None], facts: dict[str, Any]
    ) -> OldOrder:
        return OldOrder(
            id=order_id,
            order_status=OrderStatus(facts.get("order_status", "COMPLETED")),
            amount=Decimal(repr(amount)),
            tariff=Decimal(facts.get("tariff", -1)),
            currency=facts.get("currency", "NGN"),
            sender_wallet_id=ends[0],
            receiver_wallet_id=ends[1],
            has_reference="external_reference" in facts,
            rows=[row for row in self._rows if row.order_id == order_id],
            columns={"id": order_id, **facts},
        )


def paid(old: Writer, order_id: int, amount: float, *, ends: tuple[int, int], **facts: object) -> None:
    """Add a settled order with its two rows."""
    old.order(order_id, amount, ends=ends, **facts)
    old.rows(order_id, (ends[1], amount), (ends[0], -amount))


def fill(old: Writer) -> None:
    """Put in a small business, and one of each oddity.

    What wallets come to: organization 80,000; agent 19,000 less 0.3 (it shows 20,000); connection 2,000; the meter, see
    the test of balances.
    """
    old.wallet(SYSTEM, -123, identifier="BANKING_SYSTEM")
    old.wallet(ORG, 80_000, organization_id=9)
    old.wallet(AGENT, 20_000, agent_id=7)
    old.wallet(METER, 1_500, meter_id=1)
    old.wallet(CONNECTION, 2_000, connection_id=4, wallet_type="VIRTUAL")
    old.wallet(OWNERLESS, 10)
    for meter_id, wallet_id in enumerate(LOOSE_METERS, start=2):
        old.wallet(wallet_id, 0, meter_id=meter_id)
    paid(old, 1, 100_000, ends=(SYSTEM, ORG), external_reference="ref-1")
    paid(old, 2, 20_000, ends=(ORG, AGENT))
    paid(old, 3, 1_000, ends=(AGENT, METER), tariff=300)
    paid(old, 4, 500, ends=(SYSTEM, METER), external_reference="ref-1")  # taken already
    old.order(5, 25_000, ends=(AGENT, METER), order_status="FAILED")
    old.rows(5, (METER, 25_000), (AGENT, -25_000), status="FAILED")
    paid(old, 6, 2_000, ends=(SYSTEM, CONNECTION))
    paid(old, 7, 0.1 + 0.2, ends=(AGENT, METER))
    paid(old, 8, 10.00005, ends=(SYSTEM, METER))  # half of what is kept: the two sides round apart
    paid(old, 9, 250, ends=(SYSTEM, METER))
    old.rows(9, (METER, 250))  # settled twice, on one side
    old.rows(None, (METER, 77), (SYSTEM, -77))
    old.rows(4711, (METER, 8))  # of an order that is gone
    old.order(10, 5, ends=(SYSTEM, METER), order_status="FAILED")
    old.rows(10, (METER, 5))
    old.order(11, 60, ends=(SYSTEM, METER))  # nothing moved
    old.order(12, 40, ends=(None, METER))
    old.rows(12, (METER, 40), (None, -40))
    old.order(13, -30, ends=(METER, SYSTEM))
    old.rows(13, (METER, -30), (SYSTEM, 30))
    old.order(14, 15, ends=(OWNERLESS, METER))
    old.rows(14, (OWNERLESS, -15), (METER, 15))
    old.order(15, 9, ends=(METER, METER))
    old.rows(15, (METER, 9), (METER, -9))
    old.order(16, 700, ends=(SYSTEM, METER), order_status="INITIALISED", external_reference="ref-16")
    old.order(17, 800, ends=(AGENT, METER), order_status="PENDING", updated_at="2026-01-05T10:00:00Z")
    paid(old, 18, 12, ends=(SYSTEM, METER), currency="USD")
    old.order(19, 100, ends=(SYSTEM, METER))
    old.rows(19, (METER, 90), (SYSTEM, -90))
    old.rows(20, (METER, float("nan")))
    # Money left before it came: never below zero in between, though the first row says so.
    paid(old, 21, 400, ends=(61, 62))
    paid(old, 22, 400, ends=(SYSTEM, 61))
    # Below zero for good.
    paid(old, 23, 66, ends=(63, 62))
