"""Notifications: outgoing messages and their parameters (relational-schema 4.7)."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, Text, text

from nxt_adapters.supabase.tables import enums
from nxt_adapters.supabase.tables.columns import INSTANT, JSON_TEXT, ZERO, created_at_ms, int_key, metadata

notification_parameters = Table(
    "notification_parameters",
    metadata,
    int_key(),
    created_at_ms(),
    Column("parameters", JSON_TEXT),
)

notifications = Table(
    "notifications",
    metadata,
    int_key(),
    created_at_ms(),
    Column("connector_external_system", enums.external_system),
    Column("carrier_external_system", enums.external_system, nullable=False),
    Column("notification_type", enums.notification_type, nullable=False),
    Column("notification_status", enums.notification_status, nullable=False),
    Column("external_reference", String),
    Column(
        "notification_parameter_id",
        Integer,
        ForeignKey("notification_parameters.id", name="FK_982f77636cb1da8e76745949530"),
    ),
    Column("grid_id", Integer, ForeignKey("grids.id", name="FK_c1053eec8005016c7d9febdc484")),
    Column("organization_id", Integer, ForeignKey("organizations.id", name="FK_cb7b1fb018b296f2107e998b2ff")),
    Column("account_id", Integer, ForeignKey("accounts.id", name="FK_a1ec3b4b4f2017665b534e60256")),
    Column("lock_session", String),
    Column("message", String),
    Column("phone", String),
    Column("subject", String),
    Column("email", String),
    Column("chat_id", String),
    Column("thread_id", String),
    Column("claimed_until", INSTANT),
    Column("attempt_count", Integer, nullable=False, server_default=ZERO),
    Column("last_error", Text),
    Column("dedupe_key", Text),
    CheckConstraint(
        "case carrier_external_system when 'AFRICASTALKING' then phone is not null "
        "when 'SENDGRID' then email is not null when 'TELEGRAM' then chat_id is not null "
        "else true end",
        name="ck_notifications_addressee",
    ),
    Index(
        "ix_notifications_notification_parameter_id",
        "notification_parameter_id",
        postgresql_where=text("notification_parameter_id is not null"),
    ),
    Index("ix_notifications_account_id", "account_id"),
    Index("ix_notifications_grid_id", "grid_id", postgresql_where=text("grid_id is not null")),
    Index("ix_notifications_organization_id", "organization_id", postgresql_where=text("organization_id is not null")),
    Index("ux_notifications_dedupe_key", "dedupe_key", unique=True, postgresql_where=text("dedupe_key is not null")),
    Index(
        "ux_notifications_reference",
        "carrier_external_system",
        "external_reference",
        unique=True,
        postgresql_where=text("external_reference is not null"),
    ),
    Index(
        "ix_notifications_external_reference",
        "external_reference",
        postgresql_where=text("external_reference is not null"),
    ),
    Index("ix_notifications_pending", "id", postgresql_where=text("notification_status = 'PENDING'")),
)
