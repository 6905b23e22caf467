"""Taking over a predecessor's books: how far it is, and what it had to tell [PAY-40]."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, Table, Text, text

from nxt_adapters.supabase.tables.columns import INSTANT, MONEY, ZERO, big_key, created_at, metadata

take_over = Table(
    "take_over",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    created_at(),
    Column("stage", Text, nullable=False),
    Column("after_id", BigInteger, nullable=False, server_default=ZERO),
    Column("wallets", BigInteger, nullable=False, server_default=ZERO),
    Column("orders", BigInteger, nullable=False, server_default=ZERO),
    Column("rows", BigInteger, nullable=False, server_default=ZERO),
    Column("entries", BigInteger, nullable=False, server_default=ZERO),
    Column("finished_at", INSTANT),
    CheckConstraint("id = 1", name="ck_take_over_once"),
    CheckConstraint("stage in ('WALLETS', 'ORDERS', 'LOOSE_ROWS', 'BALANCES', 'DONE')", name="ck_take_over_stage"),
    schema="internal",
)

take_over_remarks = Table(
    "take_over_remarks",
    metadata,
    big_key(),
    created_at(),
    Column("kind", Text, nullable=False),
    Column("wallet_id", Integer),
    Column("order_id", Integer),
    Column("transaction_id", BigInteger),
    Column("amount", MONEY),
    Column("detail", Text, nullable=False),
    Index("ix_take_over_remarks_order_id", "order_id", postgresql_where=text("order_id is not null")),
    schema="internal",
)
