"""Contracts: connections and the meters they ask for (relational-schema 4.3)."""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, text

from nxt_adapters.supabase.tables import enums
from nxt_adapters.supabase.tables.columns import INSTANT_MS, MONEY, NO, ZERO, created_at_ms, int_key, metadata, tenant

connections = Table(
    "connections",
    metadata,
    int_key(),
    created_at_ms(),
    Column("deleted_at", INSTANT_MS),
    Column("document_type", enums.id_document_type, server_default="PASSPORT"),
    Column("document_id", String),
    Column("upload_uuid", String),
    Column("external_system", enums.external_system, server_default="EPICOLLECT"),
    Column("paid", MONEY, nullable=False, server_default=ZERO),
    Column("currency", enums.currency, nullable=False),
    Column("women_impacted", Integer, nullable=False),
    Column("is_lifeline", Boolean),
    Column("is_public", Boolean, nullable=False),
    Column("is_commercial", Boolean, nullable=False),
    Column("is_residential", Boolean, nullable=False),
    Column("is_building_wired", Boolean, server_default=NO),
    Column("is_using_led_bulbs", Boolean, server_default=NO),
    Column("customer_id", Integer, ForeignKey("customers.id", name="FK_37f79eb1e29a53cc582fbb805e0"), nullable=False),
    tenant("connections_rls_organization_id_fkey"),
    CheckConstraint("women_impacted >= 0", name="ck_connections_women_impacted"),
    CheckConstraint("is_public or is_commercial or is_residential", name="ck_connections_use"),
    Index("idx_connection_customer_id", "customer_id"),
    Index("idx_connections_rls_organization_id", "rls_organization_id"),
    Index("ix_connections_rls_organization_id_id", "rls_organization_id", "id"),
    Index("ux_connections_upload_uuid", "upload_uuid", unique=True, postgresql_where=text("upload_uuid is not null")),
)

connection_requested_meters = Table(
    "connection_requested_meters",
    metadata,
    int_key(),
    created_at_ms(),
    Column("meter_type", enums.meter_type, nullable=False),
    Column("meter_phase", enums.meter_phase, nullable=False),
    Column("fee", MONEY, nullable=False, server_default=ZERO),
    Column("deleted_at", INSTANT_MS),
    Column(
        "connection_id", Integer, ForeignKey("connections.id", name="FK_d390197863e9a88be5e122d9695"), nullable=False
    ),
    tenant("connection_requested_meters_rls_organization_id_fkey"),
    CheckConstraint("fee >= 0", name="ck_connection_requested_meters_fee"),
    Index("idx_connection_requested_meters_rls_organization_id", "rls_organization_id"),
    Index("ix_connection_requested_meters_connection_id", "connection_id"),
)
