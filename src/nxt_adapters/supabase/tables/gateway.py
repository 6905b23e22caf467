"""Gateway payments: events, charges and merchant accounts (relational-schema 14.2, 14.3)."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, Uuid, text

from nxt_adapters.supabase.tables import enums
from nxt_adapters.supabase.tables.columns import (
    INSTANT,
    JSON_DOCUMENT,
    MONEY,
    NO,
    NOW,
    ZERO,
    big_key,
    created_at,
    metadata,
)

gateway_events = Table(
    "gateway_events",
    metadata,
    big_key(),
    created_at(),
    Column("received_at", INSTANT, nullable=False, server_default=NOW),
    Column("merchant", Text, nullable=False),
    Column("gateway_tx_id", Text),
    Column("tx_ref", Text),
    Column("event", Text),
    Column("status", Text),
    Column("payload", JSON_DOCUMENT, nullable=False),
    Column("processed_at", INSTANT),
    Column("result", Text),
    UniqueConstraint(
        "merchant",
        "gateway_tx_id",
        "event",
        "status",
        name="gateway_events_delivery_key",
        postgresql_nulls_not_distinct=True,
    ),
    Index("ix_gateway_events_waiting", "id", postgresql_where=text("processed_at is null")),
    Index("ix_gateway_events_tx_ref", "tx_ref"),
    schema="internal",
)

gateway_charges = Table(
    "gateway_charges",
    metadata,
    big_key(),
    created_at(),
    Column("order_id", Integer, ForeignKey("orders.id"), nullable=False),
    Column("merchant", Text, nullable=False),
    Column("tx_ref", Text, nullable=False),
    Column("gateway_tx_id", Text),
    Column("flw_ref", Text),
    Column("status", Text),
    Column("payment_type", Text),
    Column("last_error", Text),
    Column("amount", MONEY, nullable=False),
    Column("currency", enums.currency, nullable=False),
    Column("charged_amount", MONEY),
    Column("app_fee", MONEY),
    Column("verify_attempts", Integer, nullable=False, server_default=ZERO),
    Column("last_verified_at", INSTANT),
    Column("next_verify_at", INSTANT),
    UniqueConstraint("order_id"),
    UniqueConstraint("merchant", "tx_ref"),
    Index(
        "ux_gateway_charges_merchant_gateway_tx_id",
        "merchant",
        "gateway_tx_id",
        unique=True,
        postgresql_where=text("gateway_tx_id is not null"),
    ),
    Index("ix_gateway_charges_next_verify_at", "next_verify_at", postgresql_where=text("next_verify_at is not null")),
    schema="internal",
)

organization_payment_credentials = Table(
    "organization_payment_credentials",
    metadata,
    created_at(),
    Column("organization_id", Integer, ForeignKey("organizations.id"), primary_key=True, autoincrement=False),
    Column("flutterwave_enabled", Boolean, nullable=False, server_default=NO),
    Column("flutterwave_public_key", Text),
    Column(
        "flutterwave_secret_key_id",
        Uuid,
        ForeignKey("internal.secrets.id", name="organization_payment_credentials_secret_key_fkey"),
    ),
    Column(
        "flutterwave_webhook_secret_id",
        Uuid,
        ForeignKey("internal.secrets.id", name="organization_payment_credentials_webhook_secret_fkey"),
    ),
    Column("updated_by_account_id", Integer),
    Column("updated_at", INSTANT, nullable=False, server_default=NOW),
    Index("ix_organization_payment_credentials_secret_key", "flutterwave_secret_key_id"),
    Index("ix_organization_payment_credentials_webhook_secret", "flutterwave_webhook_secret_id"),
    schema="internal",
)
