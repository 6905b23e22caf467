"""Device messages: the durable queue of the delivery engine (device-messaging 3)."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Double, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY

from nxt_adapters.supabase.tables.columns import (
    EMPTY_ARRAY,
    EMPTY_LIST,
    INSTANT,
    JSON_DOCUMENT,
    NO,
    NOW,
    SORTED_TEXT,
    ZERO,
    big_key,
    created_at,
    metadata,
)


def _message_columns() -> list[Column[Any]]:
    """What a message has while it is alive and in the archive, in one order; columns belong to one table each."""
    return [
        Column("id", SORTED_TEXT, primary_key=True),
        Column("command_type", Text, nullable=False),
        Column("priority", Double, nullable=False),
        Column("plugin_id", Text, nullable=False),
        Column("request_data", JSON_DOCUMENT),
        Column("phase", Text),
        Column("network_id", BigInteger),
        Column("correlation_id", Text),
        Column("device", JSON_DOCUMENT, nullable=False),
        Column("ready_queue", SORTED_TEXT, nullable=False),
        Column("delivery_status", Text, nullable=False),
        Column("delivery_queue_id", Text, nullable=False, server_default=""),
        Column("past_delivery_queue_ids", ARRAY(Text), nullable=False, server_default=EMPTY_LIST),
        Column("retry_count", Integer, nullable=False, server_default=ZERO),
        Column("failure_history", JSON_DOCUMENT, nullable=False, server_default=EMPTY_ARRAY),
    ]


device_messages = Table(
    "device_messages",
    metadata,
    *_message_columns(),
    Column("due_at", INSTANT),
    Column("holds_slot", Boolean, nullable=False, server_default=NO),
    Column("lease_owner", Text),
    Column("lease_until", INSTANT),
    Column("enqueued_at", INSTANT, nullable=False, server_default=NOW),
    Column("expires_at", INSTANT, nullable=False),
    Column("passed_statuses", ARRAY(Text), nullable=False, server_default=EMPTY_LIST),
    Column("passed_at", ARRAY(INSTANT), nullable=False, server_default=EMPTY_LIST),
    CheckConstraint(
        "delivery_status in ('QUEUED', 'SENT_TO_NS', 'DELIVERED_TO_NS', 'SENT_TO_DEVICE', 'TO_RETRY')",
        name="ck_device_messages_delivery_status",
    ),
    CheckConstraint("phase in ('A', 'B', 'C')", name="ck_device_messages_phase"),
    CheckConstraint("network_id between 0 and 4294967295", name="ck_device_messages_network_id"),
    Index(
        "ix_device_messages_ready",
        "ready_queue",
        text("priority desc"),
        "id",
        postgresql_where=text("delivery_status = 'QUEUED'"),
    ),
    Index("ix_device_messages_due", "delivery_status", "due_at", "id", postgresql_where=text("due_at is not null")),
    Index(
        "ix_device_messages_correlation",
        "correlation_id",
        "phase",
        text("id desc"),
        postgresql_where=text("correlation_id is not null"),
    ),
    Index(
        "ix_device_messages_delivery",
        "plugin_id",
        "delivery_queue_id",
        postgresql_where=text("delivery_queue_id <> ''"),
    ),
    Index(
        "ix_device_messages_past_delivery",
        "past_delivery_queue_ids",
        postgresql_using="gin",
        postgresql_where=text("past_delivery_queue_ids <> '{}'"),
    ),
    Index("ix_device_messages_slots", "ready_queue", postgresql_where=text("holds_slot")),
    Index("ix_device_messages_expires_at", "expires_at", postgresql_where=text("delivery_status = 'QUEUED'")),
    schema="messaging",
    postgresql_with={
        "fillfactor": 50,
        "autovacuum_vacuum_scale_factor": 0.01,
        "autovacuum_vacuum_threshold": 1000,
        "autovacuum_vacuum_cost_delay": 0,
        "autovacuum_analyze_scale_factor": 0.05,
    },
)

admission = Table(
    "admission",
    metadata,
    Column("ready_queue", SORTED_TEXT, primary_key=True),
    Column("last_claim_at", INSTANT),
    schema="messaging",
    postgresql_with={"fillfactor": 50, "autovacuum_vacuum_scale_factor": 0.05},
)

event_halves = Table(
    "event_halves",
    metadata,
    created_at(),
    Column("deduplication_id", Text, primary_key=True),
    Column("half", Text, primary_key=True),
    Column("payload", JSON_DOCUMENT, nullable=False),
    Column("expires_at", INSTANT, nullable=False),
    CheckConstraint("half in ('up', 'ack')", name="ck_event_halves_half"),
    Index("ix_event_halves_expires_at", "expires_at"),
    schema="messaging",
    postgresql_with={
        "autovacuum_vacuum_scale_factor": 0.02,
        "autovacuum_vacuum_threshold": 500,
        "autovacuum_analyze_scale_factor": 0.05,
    },
)

parked_events = Table(
    "parked_events",
    metadata,
    big_key(),
    created_at(),
    Column("plugin_id", Text, nullable=False),
    Column("delivery_queue_id", Text, nullable=False),
    Column("event", JSON_DOCUMENT, nullable=False),
    Column("expires_at", INSTANT, nullable=False),
    Index("ix_parked_events_delivery", "plugin_id", "delivery_queue_id", "id"),
    Index("ix_parked_events_expires_at", "expires_at"),
    schema="messaging",
    postgresql_with={
        "autovacuum_vacuum_scale_factor": 0.02,
        "autovacuum_vacuum_threshold": 500,
        "autovacuum_analyze_scale_factor": 0.05,
    },
)

message_archive = Table(
    "message_archive",
    metadata,
    *_message_columns(),
    Column("response", JSON_DOCUMENT),
    Column("enqueued_at", INSTANT, nullable=False),
    Column("finished_at", INSTANT, primary_key=True, server_default=NOW),
    Column("passed_statuses", ARRAY(Text), nullable=False, server_default=EMPTY_LIST),
    Column("passed_at", ARRAY(INSTANT), nullable=False, server_default=EMPTY_LIST),
    CheckConstraint(
        "delivery_status in ('DELIVERY_SUCCESSFUL', 'DELIVERY_FAILED', 'CANCELLED')",
        name="ck_message_archive_delivery_status",
    ),
    Index("ix_message_archive_correlation_id", "correlation_id", postgresql_where=text("correlation_id is not null")),
    schema="messaging",
    postgresql_partition_by="range (finished_at)",
)
