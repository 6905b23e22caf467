"""Installation: sessions, registrations at vendors, commissionings (relational-schema 4.3)."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint, text

from nxt_adapters.supabase.tables import enums
from nxt_adapters.supabase.tables.columns import INSTANT, NOW, created_at_ms, int_key, metadata, tenant

metering_hardware_install_sessions = Table(
    "metering_hardware_install_sessions",
    metadata,
    int_key(),
    created_at_ms(),
    Column("dcu_id", Integer, ForeignKey("dcus.id", name="FK_f3c53f4b922a011aa53d9e0b1ad")),
    Column("meter_id", Integer, ForeignKey("meters.id", name="FK_3f770c153b3333ad1d29cfbf784", use_alter=True)),
    Column("author_id", Integer, ForeignKey("accounts.id", name="FK_35239534a89f0d6dab2612645eb")),
    Column(
        "last_meter_commissioning_id",
        Integer,
        ForeignKey("meter_commissionings.id", name="FK_4eb64f5decb7250cfa993410c1e", use_alter=True),
    ),
    Column(
        "last_metering_hardware_import_id",
        Integer,
        ForeignKey("metering_hardware_imports.id", name="FK_be64a09dc738420a409cb960264", use_alter=True),
    ),
    tenant("metering_hardware_install_sessions_rls_organization_id_fkey"),
    UniqueConstraint("last_meter_commissioning_id", name="REL_4eb64f5decb7250cfa993410c1"),
    UniqueConstraint("last_metering_hardware_import_id", name="REL_be64a09dc738420a409cb96026"),
    CheckConstraint("num_nonnulls(meter_id, dcu_id) = 1", name="ck_metering_hardware_install_sessions_subject"),
    Index("idx_metering_hardware_install_sessions_rls_organization_id", "rls_organization_id"),
    Index("ix_metering_hardware_install_sessions_author_id", "author_id"),
    Index("ix_metering_hardware_install_sessions_meter_id", "meter_id"),
    Index("ix_metering_hardware_install_sessions_dcu_id", "dcu_id"),
)

metering_hardware_imports = Table(
    "metering_hardware_imports",
    metadata,
    int_key(),
    created_at_ms(),
    Column("metering_hardware_import_operation", enums.mhi_operation, nullable=False, server_default="ADD"),
    Column("metering_hardware_import_status", enums.mhi_status, nullable=False, server_default="PENDING"),
    Column(
        "metering_hardware_install_session_id",
        Integer,
        ForeignKey("metering_hardware_install_sessions.id", name="FK_5c2bb31b2e45c3f1da0b72071a2"),
        nullable=False,
    ),
    Column("lock_session", String),
    tenant("metering_hardware_imports_rls_organization_id_fkey"),
    Column("failure_reason", Text),
    Column("updated_at", INSTANT, nullable=False, server_default=NOW),
    Index("ix_metering_hardware_imports_install_session_id", "metering_hardware_install_session_id"),
    Index("ix_metering_hardware_imports_rls_organization_id", "rls_organization_id"),
    Index(
        "ux_metering_hardware_imports_unfinished",
        "metering_hardware_install_session_id",
        unique=True,
        postgresql_where=text("metering_hardware_import_status in ('PENDING', 'PROCESSING')"),
    ),
)

meter_commissionings = Table(
    "meter_commissionings",
    metadata,
    int_key(),
    created_at_ms(),
    Column("meter_commissioning_status", enums.meter_commissioning_status, nullable=False, server_default="PROCESSING"),
    Column("initialised_steps", Integer),
    Column("pending_steps", Integer),
    Column("processing_steps", Integer),
    Column("successful_steps", Integer),
    Column("failed_steps", Integer),
    Column("total_steps", Integer),
    Column("lock_session", String),
    Column(
        "metering_hardware_install_session_id",
        Integer,
        ForeignKey("metering_hardware_install_sessions.id", name="FK_6684f0790c54ed3d441f78df91a"),
        nullable=False,
    ),
    tenant("meter_commissionings_rls_organization_id_fkey"),
    Index("idx_meter_commissionings_rls_organization_id", "rls_organization_id"),
    Index("ix_meter_commissionings_metering_hardware_install_session_id", "metering_hardware_install_session_id"),
    Index(
        "ux_meter_commissionings_unfinished",
        "metering_hardware_install_session_id",
        unique=True,
        postgresql_where=text("meter_commissioning_status in ('PENDING', 'PROCESSING')"),
    ),
)
