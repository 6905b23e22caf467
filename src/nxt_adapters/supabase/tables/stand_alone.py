"""The stand-alone messaging plane: the queue's tables, and what this mode alone has [DM-12]."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, MetaData, Table, Text, UniqueConstraint, text

from nxt_adapters.supabase.tables.columns import INSTANT, NOW, ZERO, big_key, created_at
from nxt_adapters.supabase.tables.messaging import (
    admission,
    device_messages,
    event_halves,
    message_archive,
    parked_events,
)

metadata = MetaData()

for table in (device_messages, admission, event_halves, parked_events, message_archive):
    table.to_metadata(metadata)

event_outbox = Table(
    "event_outbox",
    metadata,
    big_key(),
    Column("event_id", Text, nullable=False),
    Column("stream_key", Text, nullable=False),
    Column("event", Text),
    Column("attempt_count", Integer, nullable=False, server_default=ZERO),
    Column("next_attempt_at", INSTANT, nullable=False, server_default=NOW),
    Column("lease_until", INSTANT),
    Column("last_error", Text),
    created_at(),
    Column("dead_lettered_at", INSTANT),
    UniqueConstraint("event_id", name="uq_event_outbox_event_id"),
    Index("ix_event_outbox_due", "next_attempt_at", "id", postgresql_where=text("dead_lettered_at is null")),
    Index("ix_event_outbox_stream", "stream_key", "id", postgresql_where=text("dead_lettered_at is null")),
    Index("ix_event_outbox_dead", "dead_lettered_at", postgresql_where=text("dead_lettered_at is not null")),
    schema="messaging",
)

enqueue_requests = Table(
    "enqueue_requests",
    metadata,
    Column("request_key", Text, primary_key=True),
    Column("message_id", Text, nullable=False),
    created_at(),
    Index("ix_enqueue_requests_created_at", "created_at"),
    schema="messaging",
)
