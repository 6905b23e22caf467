"""Orders: intents to move money between two wallets (relational-schema 4.6)."""

from sqlalchemy import (
    BigInteger,
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

from nxt_adapters.supabase.tables import enums
from nxt_adapters.supabase.tables.columns import INSTANT, MONEY, NOW, PRICE, created_at_ms, int_key, metadata, tenant

orders = Table(
    "orders",
    metadata,
    int_key(),
    created_at_ms(),
    Column("amount", MONEY, nullable=False),
    Column("order_status", enums.order_status, nullable=False, server_default="PENDING"),
    Column("lock_session", String),
    Column("external_reference", String),
    Column("currency", enums.currency, nullable=False),
    Column("external_system", enums.external_system),
    Column("tariff_type", enums.meter_type),
    Column("tariff", PRICE, nullable=False, server_default=text("-1")),
    Column("payment_method", enums.payment_method),
    Column("payment_channel", enums.payment_channel),
    Column("author_id", Integer, ForeignKey("accounts.id", name="FK_60816230893327daacc86ab41c8")),
    Column("directive_id", BigInteger),
    Column(
        "meter_credit_transfer_id",
        Integer,
        ForeignKey("meter_credit_transfers.id", name="FK_a53c58bdb5ae0193f17497c81b4"),
    ),
    Column("historical_grid_id", Integer, ForeignKey("grids.id", name="FK_0b03d1bc1cff784570333129e63")),
    Column("meta_author_type", enums.account_type),
    Column("meta_author_name", String),
    Column("meta_author_id", Integer),
    Column("meta_order_type", enums.order_type),
    Column("meta_sender_id", Integer),
    Column("meta_sender_name", String),
    Column("meta_receiver_name", String),
    Column("meta_receiver_name_part_2", String),
    Column("meta_sender_name_part_2", String),
    Column("meta_receiver_id", Integer),
    Column("meta_sender_type", enums.order_actor_type),
    Column("meta_receiver_type", enums.order_actor_type),
    Column("meta_is_hidden_from_reporting", Boolean),
    Column(
        "sender_wallet_id", Integer, ForeignKey("wallets.id", name="FK_8f12fe9c7b078122adcae80375d"), nullable=False
    ),
    Column(
        "receiver_wallet_id", Integer, ForeignKey("wallets.id", name="FK_576b0e9af0bec469bff33b965aa"), nullable=False
    ),
    Column("ussd_session_id", Integer, ForeignKey("ussd_sessions.id", name="FK_92081072063eaf51300ab6c267d")),
    Column("lorawan_directive_id", BigInteger),
    Column("meta_receiver_id_part_2", Integer),
    tenant("orders_rls_organization_id_fkey"),
    Column("updated_at", INSTANT, nullable=False, server_default=NOW),
    Column("routing_organization_id", Integer),
    Column("failure_code", Text),
    Column("failure_message", Text),
    Column("settled_at", INSTANT),
    Column("reversed_at", INSTANT),
    UniqueConstraint("directive_id", name="REL_093ca3525311b8a12f6cf6b1c9"),
    UniqueConstraint("ussd_session_id", name="REL_92081072063eaf51300ab6c267"),
    UniqueConstraint("meter_credit_transfer_id", name="REL_a53c58bdb5ae0193f17497c81b"),
    CheckConstraint("amount > 0", name="ck_orders_amount"),
    CheckConstraint("sender_wallet_id <> receiver_wallet_id", name="ck_orders_wallets"),
    CheckConstraint("tariff = -1 or tariff > 0", name="ck_orders_tariff"),
    CheckConstraint("historical_grid_id is null or rls_organization_id is not null", name="ck_orders_tenant"),
    Index(
        "idx_orders_energy_topup_grid", "historical_grid_id", postgresql_where=text("meta_order_type = 'ENERGY_TOPUP'")
    ),
    Index(
        "idx_orders_energy_topup_receiver",
        "meta_receiver_id",
        postgresql_where=text("meta_order_type = 'ENERGY_TOPUP'"),
    ),
    Index("idx_orders_historical_grid_id", "historical_grid_id"),
    Index("idx_orders_meta_receiver_id", "meta_receiver_id"),
    Index("idx_orders_order_optimized", text("updated_at desc")),
    Index(
        "idx_orders_rls_sender_receiver", "meta_sender_type", "meta_sender_id", "meta_receiver_type", "meta_receiver_id"
    ),
    Index("ix_orders_receiver_wallet_id", "receiver_wallet_id"),
    Index("ix_orders_author_id", "author_id"),
    Index("ix_orders_sender_wallet_id", "sender_wallet_id"),
    Index(
        "ux_orders_external_reference",
        "external_reference",
        unique=True,
        postgresql_where=text("external_reference is not null"),
    ),
    Index("ix_orders_pending", "id", postgresql_where=text("order_status = 'PENDING'")),
    Index("ix_orders_initialised", "created_at", postgresql_where=text("order_status = 'INITIALISED'")),
    Index(
        "ix_orders_revenue",
        "historical_grid_id",
        "created_at",
        postgresql_where=text("meta_order_type = 'ENERGY_TOPUP' and order_status = 'COMPLETED'"),
    ),
    Index("ix_orders_rls_organization_id_created_at", "rls_organization_id", text("created_at desc")),
    Index("ix_orders_pending_sender", "sender_wallet_id", "id", postgresql_where=text("order_status = 'PENDING'")),
    postgresql_with={"fillfactor": 80},
)
