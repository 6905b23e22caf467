"""Rows that are kept for a while only: logs, caches, menu steps (relational-schema 4.5 to 4.7, 13.7)."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

from nxt_adapters.supabase.tables import enums
from nxt_adapters.supabase.tables.columns import (
    FINE,
    JSON_DOCUMENT,
    LATITUDE,
    LONGITUDE,
    big_key,
    created_at,
    created_at_ms,
    int_key,
    metadata,
    tenant,
)

device_logs = Table(
    "device_logs",
    metadata,
    big_key(),
    created_at(),
    Column("message", Text),
    Column("device_id", BigInteger, ForeignKey("devices.id", name="device_logs_device_id_fkey"), nullable=False),
    tenant("device_logs_rls_organization_id_fkey"),
    Index("ix_device_logs_device_id", "device_id"),
    Index("ix_device_logs_rls_organization_id", "rls_organization_id"),
    Index("ix_device_logs_created_at", "created_at"),
)

autopilot_executions = Table(
    "autopilot_executions",
    metadata,
    big_key(),
    created_at(),
    Column("input", JSON_DOCUMENT),
    Column("code", Text),
    Column("output", JSON_DOCUMENT),
    Column("queries", JSON_DOCUMENT),
    Index("ix_autopilot_executions_created_at", "created_at"),
)

ussd_session_hops = Table(
    "ussd_session_hops",
    metadata,
    int_key(),
    created_at_ms(),
    Column("text", String),
    Column("phone", String),
    Column("network_code", String),
    Column("service_code", String),
    Column(
        "ussd_session_id",
        Integer,
        ForeignKey("ussd_sessions.id", name="FK_bf89299bd6534528adad645b7a5", ondelete="CASCADE"),
        nullable=False,
    ),
    Index("ix_ussd_session_hops_ussd_session_id", "ussd_session_id"),
)

# A newer answer to the same request replaces the older one [REL-75, REL-138].
_REQUEST_KEY = ("request_type", "latitude", "longitude", "tilt", "azimuth", "capacity_kwp", "install_date")
solcast_cache = Table(
    "solcast_cache",
    metadata,
    int_key(),
    created_at_ms(),
    Column("request_type", enums.solcast_cache_request_type, nullable=False),
    Column("latitude", LATITUDE, nullable=False),
    Column("longitude", LONGITUDE, nullable=False),
    Column("tilt", FINE, nullable=False),
    Column("azimuth", FINE, nullable=False),
    Column("capacity_kwp", FINE, nullable=False),
    Column("install_date", String, nullable=False),
    Column("response", Text, nullable=False),
    Index("ux_solcast_cache_request", *_REQUEST_KEY, unique=True),
)
