"""Jobs of the provisioning role and their steps (relational-schema 14.8, metering 12.2)."""

from sqlalchemy import (
    BigInteger,
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
from nxt_adapters.supabase.tables.columns import INSTANT, NOW, ZERO, big_key, created_at, metadata

_UNFINISHED = text("status in ('QUEUED', 'RUNNING', 'WAITING')")

provisioning_jobs = Table(
    "provisioning_jobs",
    metadata,
    big_key(),
    created_at(),
    Column("updated_at", INSTANT, nullable=False, server_default=NOW),
    Column("kind", Text, nullable=False),
    Column("protocol", enums.communication_protocol, nullable=False),
    Column("external_reference", Text, nullable=False),
    Column("meter_phase", enums.meter_phase),
    Column("dcu_external_reference", Text),
    Column("grid_name", Text),
    Column("metering_hardware_import_id", Integer, ForeignKey("metering_hardware_imports.id")),
    Column("status", Text, nullable=False, server_default="QUEUED"),
    Column("attempt", Integer, nullable=False, server_default=ZERO),
    Column("next_run_at", INSTANT),
    Column("lease_owner", Text),
    Column("lease_until", INSTANT),
    Column("failure_code", Text),
    Column("failure_reason", Text),
    Column("callback_state", Text, nullable=False, server_default="NONE"),
    CheckConstraint(
        "kind in ('REGISTER_METER', 'DEREGISTER_METER', 'ADD_DCU', 'REMOVE_DCU')", name="ck_provisioning_jobs_kind"
    ),
    CheckConstraint(
        "status in ('QUEUED', 'RUNNING', 'WAITING', 'SUCCEEDED', 'FAILED', 'CANCELLED')",
        name="ck_provisioning_jobs_status",
    ),
    CheckConstraint(
        "callback_state in ('NONE', 'PENDING', 'DELIVERED', 'GAVE_UP')", name="ck_provisioning_jobs_callback_state"
    ),
    Index(
        "ux_provisioning_jobs_unfinished",
        "kind",
        "protocol",
        "external_reference",
        unique=True,
        postgresql_where=_UNFINISHED,
    ),
    Index("ix_provisioning_jobs_next_run_at", "next_run_at", postgresql_where=_UNFINISHED),
    Index("ix_provisioning_jobs_external_reference", "external_reference", text("id desc")),
    Index("ix_provisioning_jobs_metering_hardware_import_id", "metering_hardware_import_id"),
    Index("ix_provisioning_jobs_callback", "id", postgresql_where=text("callback_state = 'PENDING'")),
    schema="internal",
)

provisioning_job_steps = Table(
    "provisioning_job_steps",
    metadata,
    big_key(),
    created_at(),
    Column("job_id", BigInteger, ForeignKey("internal.provisioning_jobs.id", ondelete="CASCADE"), nullable=False),
    Column("step", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("status", Text, nullable=False, server_default="TODO"),
    Column("attempts", Integer, nullable=False, server_default=ZERO),
    Column("started_at", INSTANT),
    Column("finished_at", INSTANT),
    Column("note", Text),
    UniqueConstraint("job_id", "position"),
    CheckConstraint("status in ('TODO', 'DONE', 'SKIPPED', 'FAILED')", name="ck_provisioning_job_steps_status"),
    schema="internal",
)
