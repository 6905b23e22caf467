"""The double-entry ledger: only `internal.post_entries` writes these tables (relational-schema 14.1)."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from nxt_adapters.supabase.tables import enums
from nxt_adapters.supabase.tables.columns import INSTANT, MONEY, NO, NOW, YES, ZERO, big_key, created_at, metadata

ledger_accounts = Table(
    "ledger_accounts",
    metadata,
    big_key(),
    created_at(),
    Column("code", Text, nullable=False),
    Column("account_class", enums.ledger_account_class, nullable=False),
    Column("currency", enums.currency, nullable=False),
    Column("wallet_id", Integer, ForeignKey("wallets.id")),
    Column("organization_id", Integer, ForeignKey("organizations.id")),
    Column("grid_id", Integer, ForeignKey("grids.id")),
    Column("min_balance", MONEY),
    Column("is_hot", Boolean, nullable=False, server_default=NO),
    Column("balance", MONEY, nullable=False, server_default=ZERO),
    Column("is_open", Boolean, nullable=False, server_default=YES),
    UniqueConstraint("code"),
    CheckConstraint("is_hot or min_balance is null or balance >= min_balance", name="ck_ledger_accounts_floor"),
    Index("ux_ledger_accounts_wallet", "wallet_id", unique=True, postgresql_where=text("account_class = 'WALLET'")),
    Index("ix_ledger_accounts_wallet_id", "wallet_id"),
    Index("ix_ledger_accounts_organization_id", "organization_id"),
    Index("ix_ledger_accounts_grid_id", "grid_id"),
    schema="internal",
    postgresql_with={"fillfactor": 50},
)

ledger_entries = Table(
    "ledger_entries",
    metadata,
    big_key(),
    created_at(),
    Column("effective_at", INSTANT, nullable=False, server_default=NOW),
    Column("entry_type", enums.ledger_entry_type, nullable=False),
    Column("idempotency_key", Text, nullable=False),
    Column("order_id", Integer, ForeignKey("orders.id")),
    Column("payout_id", Integer, ForeignKey("payouts.id")),
    Column("meter_credit_transfer_id", Integer, ForeignKey("meter_credit_transfers.id")),
    Column("reverses_entry_id", BigInteger, ForeignKey("internal.ledger_entries.id")),
    Column("author_account_id", Integer, ForeignKey("accounts.id")),
    Column("memo", Text),
    UniqueConstraint("idempotency_key"),
    UniqueConstraint("reverses_entry_id"),
    CheckConstraint("entry_type <> 'ADJUSTMENT' or coalesce(memo <> '', false)", name="ck_ledger_entries_memo"),
    Index(
        "ux_ledger_entries_order",
        "order_id",
        "entry_type",
        unique=True,
        postgresql_where=text("entry_type in ('ORDER_SETTLEMENT', 'ORDER_REVERSAL')"),
    ),
    Index("ix_ledger_entries_payout_id", "payout_id", postgresql_where=text("payout_id is not null")),
    Index(
        "ix_ledger_entries_meter_credit_transfer_id",
        "meter_credit_transfer_id",
        postgresql_where=text("meter_credit_transfer_id is not null"),
    ),
    Index(
        "ix_ledger_entries_author_account_id",
        "author_account_id",
        postgresql_where=text("author_account_id is not null"),
    ),
    schema="internal",
)

ledger_postings = Table(
    "ledger_postings",
    metadata,
    big_key(),
    created_at(),
    Column("entry_id", BigInteger, ForeignKey("internal.ledger_entries.id"), nullable=False),
    Column("account_id", BigInteger, ForeignKey("internal.ledger_accounts.id"), nullable=False),
    Column("amount", MONEY, nullable=False),
    Column("balance_before", MONEY),
    Column("balance_after", MONEY),
    CheckConstraint("amount <> 0", name="ck_ledger_postings_amount"),
    CheckConstraint(
        "(balance_before is null) = (balance_after is null) and balance_after = balance_before + amount",
        name="ck_ledger_postings_chain",
    ),
    Index("ix_ledger_postings_entry_id", "entry_id"),
    Index("ix_ledger_postings_account_id_id", "account_id", "id"),
    schema="internal",
)

ledger_hot_deltas = Table(
    "ledger_hot_deltas",
    metadata,
    Column("posting_id", BigInteger, primary_key=True, autoincrement=False),
    Column("account_id", BigInteger, nullable=False),
    Column("amount", MONEY, nullable=False),
    schema="internal",
    postgresql_with={
        "autovacuum_vacuum_scale_factor": 0.02,
        "autovacuum_vacuum_threshold": 500,
        "autovacuum_analyze_scale_factor": 0.05,
    },
)
