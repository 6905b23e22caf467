"""What stands on a grid: power houses, poles, gateways, routers, PV chargers, devices (relational-schema 4.2, 4.5)."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
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
from nxt_adapters.supabase.tables.columns import (
    EMPTY_OBJECT,
    FINE,
    INSTANT,
    INSTANT_MS,
    JSON_DOCUMENT,
    NO,
    NOW,
    GeoJson,
    big_key,
    created_at,
    created_at_ms,
    int_key,
    metadata,
    tenant,
)

energy_cabins = Table(
    "energy_cabins",
    metadata,
    int_key(),
    created_at_ms(),
    Column("grid_id", Integer, ForeignKey("grids.id", name="FK_ba81ffc1506025a549849f06f36"), nullable=False),
    Column("location_geom", GeoJson("Point"), nullable=False),
    tenant("energy_cabins_rls_organization_id_fkey"),
    Index("idx_energy_cabins_rls_organization_id", "rls_organization_id"),
    Index("ix_energy_cabins_grid_id", "grid_id"),
)

poles = Table(
    "poles",
    metadata,
    int_key(),
    created_at_ms(),
    Column("external_reference", String(10), nullable=False),
    Column("nickname", String),
    Column("is_virtual", Boolean, nullable=False, server_default=NO),
    Column("location_accuracy", Double),
    Column("grid_id", Integer, ForeignKey("grids.id", name="FK_2c21d74185234b0dd39588a4d36"), nullable=False),
    Column("location_geom", GeoJson("Point"), nullable=False),
    tenant("poles_rls_organization_id_fkey"),
    Column("deleted_at", INSTANT),
    UniqueConstraint("external_reference", name="UQ_67112e4334d7090a571d2fff42a"),
    CheckConstraint("external_reference ~ '^[0-9]{1,10}$'", name="ck_poles_tag"),
    Index("idx_poles_rls_organization_id", "rls_organization_id"),
    Index("ix_poles_grid_id", "grid_id"),
)

dcus = Table(
    "dcus",
    metadata,
    int_key(),
    created_at_ms(),
    Column("external_reference", String, nullable=False),
    Column("queue_buffer_length", Integer, nullable=False, server_default=text("50")),
    Column("external_system", enums.external_system, nullable=False),
    Column("is_online", Boolean, nullable=False, server_default=NO),
    Column("last_online_at", INSTANT_MS),
    Column("is_online_updated_at", INSTANT_MS),
    Column("communication_protocol", enums.communication_protocol, nullable=False),
    Column("grid_id", Integer, ForeignKey("grids.id", name="FK_254c3db39098da62eb3f96f0006")),
    Column(
        "last_metering_hardware_install_session_id",
        Integer,
        ForeignKey("metering_hardware_install_sessions.id", name="FK_9334b587e6e5291f8ccd1b11c44", use_alter=True),
    ),
    tenant("dcus_rls_organization_id_fkey"),
    Column("location_geom", GeoJson("Point")),
    Column("deleted_at", INSTANT),
    UniqueConstraint("last_metering_hardware_install_session_id", name="REL_9334b587e6e5291f8ccd1b11c4"),
    CheckConstraint("queue_buffer_length > 0", name="ck_dcus_queue_buffer_length"),
    Index("IDX_9c4f5693f52e6e5e51e1ca05af", "external_reference", "external_system", unique=True),
    Index("idx_dcus_rls_organization_id", "rls_organization_id"),
    Index("ix_dcus_grid_id", "grid_id"),
)

routers = Table(
    "routers",
    metadata,
    int_key(),
    created_at_ms(),
    Column("external_reference", String, nullable=False),
    Column("external_system", enums.external_system, nullable=False, server_default="ZEROTIER"),
    Column("is_online", Boolean, nullable=False, server_default=NO),
    Column("is_online_updated_at", INSTANT_MS),
    Column("deleted_at", INSTANT_MS),
    Column("grid_id", Integer, ForeignKey("grids.id", name="FK_3c3ddc58369a9a8147776e39f40")),
    tenant("routers_rls_organization_id_fkey"),
    Index("idx_routers_rls_organization_id", "rls_organization_id"),
    Index("ix_routers_grid_id", "grid_id"),
    Index(
        "ux_routers_reference",
        "external_system",
        "external_reference",
        unique=True,
        postgresql_where=text("deleted_at is null"),
    ),
)

mppts = Table(
    "mppts",
    metadata,
    int_key(),
    created_at_ms(),
    Column("external_reference", String, nullable=False),
    Column("external_id", String, nullable=False),
    Column("external_system", enums.external_system, nullable=False, server_default="VICTRON"),
    Column("kw", FINE),
    Column("azimuth", Double),
    Column("tilt", Double),
    Column("installed_at", INSTANT_MS, nullable=False, server_default=NOW),
    Column("deleted_at", INSTANT_MS),
    Column("mppt_type", enums.mppt_type, nullable=False, server_default="MPPT"),
    Column("grid_id", Integer, ForeignKey("grids.id", name="FK_0a681c1d6d0a67331bbc6956427"), nullable=False),
    tenant("mppts_rls_organization_id_fkey"),
    CheckConstraint("kw >= 0 and tilt between 0 and 90 and azimuth between -180 and 360", name="ck_mppts_panel"),
    Index("idx_mppts_rls_organization_id", "rls_organization_id"),
    Index("ix_mppts_grid_id", "grid_id"),
    Index(
        "ux_mppts_device",
        "grid_id",
        "external_reference",
        "external_id",
        unique=True,
        postgresql_where=text("deleted_at is null"),
    ),
)

device_types = Table(
    "device_types",
    metadata,
    big_key(),
    created_at(),
    Column("name", Text),
    Column("external_system", enums.external_system),
)

devices = Table(
    "devices",
    metadata,
    big_key(),
    created_at(),
    Column(
        "device_type_id", BigInteger, ForeignKey("device_types.id", name="devices_device_type_id_fkey"), nullable=False
    ),
    Column("external_reference", Text, nullable=False),
    Column("grid_id", Integer, ForeignKey("grids.id", name="devices_grid_id_fkey")),
    Column("nickname", Text),
    tenant("devices_rls_organization_id_fkey"),
    Column("values", JSON_DOCUMENT, nullable=False, server_default=EMPTY_OBJECT),
    Index("ix_devices_device_type_id", "device_type_id"),
    Index("ix_devices_grid_id", "grid_id"),
    Index("ix_devices_rls_organization_id", "rls_organization_id"),
    Index("ux_devices_external_reference", "external_reference", unique=True),
)
