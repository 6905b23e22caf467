"""Wallets and what moves them: wallets, transactions, credit transfers, phone sessions (relational-schema 4.6)."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from nxt_adapters.supabase.tables import enums
from nxt_adapters.supabase.tables.columns import (
    ENERGY_SOLD,
    INSTANT,
    INSTANT_MS,
    JSON_DOCUMENT,
    MONEY,
    NO,
    NOW,
    ZERO,
    big_key,
    created_at,
    created_at_ms,
    int_key,
    metadata,
    tenant,
)

wallets = Table(
    "wallets",
    metadata,
    int_key(),
    created_at_ms(),
    Column("organization_id", Integer, ForeignKey("organizations.id", name="FK_f499c61c6d6a0ac3f794d966edc")),
    Column("agent_id", Integer, ForeignKey("agents.id", name="FK_f5782e05e8688f0cfbb5c4a52ce")),
    Column("customer_id", Integer, ForeignKey("customers.id", name="FK_6580899a2293de27787376887fa")),
    Column("meter_id", Integer, ForeignKey("meters.id", name="FK_8db1f4e4f8122bd25d50ad96b26")),
    Column("lock_session", String),
    Column("balance", MONEY, nullable=False, server_default=ZERO),
    Column("balance_updated_at", INSTANT_MS),
    Column("identifier", String),
    Column("wallet_type", enums.wallet_type, nullable=False, server_default="REAL"),
    Column("goldring_migration_id", Integer),
    Column("connection_id", Integer, ForeignKey("connections.id", name="FK_e63e504d8e35ef37a2c56b75eb9")),
    tenant("wallets_rls_organization_id_fkey"),
    Column("currency", enums.currency, nullable=False, server_default="NGN"),
    UniqueConstraint("customer_id", name="REL_6580899a2293de27787376887f"),
    UniqueConstraint("meter_id", name="REL_8db1f4e4f8122bd25d50ad96b2"),
    UniqueConstraint("connection_id", name="REL_e63e504d8e35ef37a2c56b75eb"),
    UniqueConstraint("organization_id", name="REL_f499c61c6d6a0ac3f794d966ed"),
    UniqueConstraint("agent_id", name="REL_f5782e05e8688f0cfbb5c4a52c"),
    CheckConstraint(
        "num_nonnulls(organization_id, agent_id, customer_id, meter_id, connection_id) = 1 "
        "or (num_nonnulls(organization_id, agent_id, customer_id, meter_id, connection_id) = 0 "
        "and identifier is not null)",
        name="ck_wallets_owner",
    ),
    CheckConstraint("balance >= 0 or coalesce(identifier = 'BANKING_SYSTEM', false)", name="ck_wallets_balance"),
    Index("idx_wallets_rls_organization_id", "rls_organization_id"),
    Index("ux_wallets_identifier", "identifier", unique=True, postgresql_where=text("identifier is not null")),
    postgresql_with={"fillfactor": 80},
)

transactions = Table(
    "transactions",
    metadata,
    big_key(),
    created_at_ms(),
    Column("amount", MONEY, nullable=False),
    Column("transaction_status", enums.transaction_status, nullable=False),
    Column("balance_before", MONEY, nullable=False, server_default=text("-1")),
    Column("balance_after", MONEY, nullable=False, server_default=text("-1")),
    Column("wallet_id", Integer, ForeignKey("wallets.id", name="FK_0b171330be0cb621f8d73b87a9e"), nullable=False),
    Column("order_id", Integer, ForeignKey("orders.id", name="FK_3cb0558ed36997f1d9ecc1118e7"), nullable=False),
    tenant("transactions_rls_organization_id_fkey"),
    CheckConstraint("amount <> 0", name="ck_transactions_amount"),
    CheckConstraint(
        "case transaction_status when 'SUCCESSFUL' then balance_before = -1 or balance_after = -1 "
        "or balance_after = balance_before + amount else balance_after = balance_before end",
        name="ck_transactions_balances",
    ),
    Index("idx_transactions_rls_organization_id", "rls_organization_id"),
    Index("ix_transactions_order_id", "order_id"),
    Index(
        "ux_transactions_side",
        "order_id",
        "wallet_id",
        text("(amount > 0)"),
        unique=True,
        postgresql_where=text("transaction_status = 'SUCCESSFUL'"),
    ),
    Index("ix_transactions_wallet_id_id", "wallet_id", text("id desc")),
)

meter_credit_transfers = Table(
    "meter_credit_transfers",
    metadata,
    int_key(),
    created_at_ms(),
    Column("lock_session", String),
    Column("amount", MONEY, nullable=False),
    Column(
        "meter_credit_transfer_status", enums.meter_credit_transfer_status, nullable=False, server_default="PENDING"
    ),
    Column("sender_meter_set_to_amount", MONEY),
    Column("currency", enums.currency, nullable=False),
    Column("sender_meter_id", Integer, ForeignKey("meters.id", name="FK_3b4ebdcd826c46e4b5c165a0840"), nullable=False),
    Column(
        "receiver_meter_id", Integer, ForeignKey("meters.id", name="FK_e83e8905a777a669de1c2391b77"), nullable=False
    ),
    Column("author_id", Integer, ForeignKey("accounts.id", name="FK_b196e2b2b291716e18a11611350")),
    tenant("meter_credit_transfers_rls_organization_id_fkey"),
    CheckConstraint("amount > 0", name="ck_meter_credit_transfers_amount"),
    CheckConstraint("sender_meter_id <> receiver_meter_id", name="ck_meter_credit_transfers_meters"),
    Index("idx_meter_credit_transfers_rls_organization_id", "rls_organization_id"),
    Index("ix_meter_credit_transfers_sender_meter_id", "sender_meter_id"),
    Index("ix_meter_credit_transfers_author_id", "author_id"),
    Index("ix_meter_credit_transfers_receiver_meter_id", "receiver_meter_id"),
)

credit_transfer_runs = Table(
    "credit_transfer_runs",
    metadata,
    Column("transfer_id", Integer, ForeignKey("meter_credit_transfers.id"), primary_key=True, autoincrement=False),
    created_at(),
    Column("energy_kwh", ENERGY_SOLD),
    Column("give_back_kwh", ENERGY_SOLD),
    Column("commands", JSON_DOCUMENT, nullable=False, server_default=text("'{}'")),
    Column("held_meter_ids", ARRAY(Integer), nullable=False, server_default=text("'{}'")),
    Column("is_refused", Boolean, nullable=False, server_default=NO),
    Column("is_paid_out", Boolean, nullable=False, server_default=NO),
    Column("look_at", INSTANT, nullable=False, server_default=NOW),
    Column("alerted_at", INSTANT),
    Column("finished_at", INSTANT),
    Index("ix_credit_transfer_runs_look_at", "look_at", postgresql_where=text("finished_at is null")),
    schema="internal",
)

ussd_sessions = Table(
    "ussd_sessions",
    metadata,
    int_key(),
    created_at_ms(),
    Column("phone", String, nullable=False),
    Column("amount", MONEY),
    Column("external_reference", String),
    Column("external_system", enums.external_system, nullable=False),
    Column("is_using_other_option", Boolean, nullable=False, server_default=NO),
    Column("account_id", Integer, ForeignKey("accounts.id", name="FK_ede50d58fa445bfa012135249fd")),
    Column("meter_id", Integer, ForeignKey("meters.id", name="FK_3a2606011b8d9f1de07de2bf0a8")),
    Column("bank_id", Integer, ForeignKey("banks.id", name="FK_4cad92626a62976ac0b49244d2e")),
    Column("last_request_text", Text),
    Column("last_response", Text),
    Index("ix_ussd_sessions_meter_id", "meter_id"),
    Index("ix_ussd_sessions_bank_id", "bank_id"),
    Index("ix_ussd_sessions_account_id", "account_id"),
    Index(
        "ux_ussd_sessions_reference",
        "external_system",
        "external_reference",
        unique=True,
        postgresql_where=text("external_reference is not null"),
    ),
)
