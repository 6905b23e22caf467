"""Uniqueness and look-ups that the specification names, in the metadata that `nxt db check` compares."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Index
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex

from nxt_adapters.supabase.tables import metadata

DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's factory has no annotation

UNIQUE = (
    ("orders", "external_reference", "external_reference is not null"),
    ("transactions", "order_id, wallet_id, (amount > 0)", "transaction_status = 'SUCCESSFUL'"),
    ("wallets", "identifier", "identifier is not null"),
    ("connections", "upload_uuid", "upload_uuid is not null"),
    ("organizations", "lower(name)", "deleted_at is null"),
    ("grids", "lower(btrim(name))", "deleted_at is null"),
    ("ussd_sessions", "external_system, external_reference", "external_reference is not null"),
    ("notifications", "carrier_external_system, external_reference", "external_reference is not null"),
    ("routers", "external_system, external_reference", "deleted_at is null"),
    ("devices", "external_reference", None),
    ("mppts", "grid_id, external_reference, external_id", "deleted_at is null"),
    ("banks", "name", None),
    ("banks", "external_id", None),
    ("issues", "meter_id", "issue_status = 'OPEN' and meter_id is not null"),
    ("issues", "grid_id, issue_type", "issue_status = 'OPEN' and meter_id is null"),
    ("meters", "connection_id, meter_type", "connection_id is not null and deleted_at is null"),
    (
        "meter_commissionings",
        "metering_hardware_install_session_id",
        "meter_commissioning_status in ('PENDING', 'PROCESSING')",
    ),
    (
        "metering_hardware_imports",
        "metering_hardware_install_session_id",
        "metering_hardware_import_status in ('PENDING', 'PROCESSING')",
    ),
    ("payouts", "grid_id, started_at, ended_at", "payout_status <> 'FAILED'"),
    ("directive_batch_executions", "directive_batch_id, due_at", "due_at is not null"),
    ("api_keys", "key_hash", "key_hash is not null"),
    ("accounts", "email", "email is not null and deleted_at is null"),
    ("accounts", "phone", "phone is not null and deleted_at is null"),
    (
        "solcast_cache",
        "request_type, latitude, longitude, tilt, azimuth, capacity_kwp, install_date",
        None,
    ),
    (
        "internal.provisioning_jobs",
        "kind, protocol, external_reference",
        "status in ('QUEUED', 'RUNNING', 'WAITING')",
    ),
)
_UNFINISHED = "meter_interaction_status in ('QUEUED', 'SUSPENDED', 'DEFERRED', 'PROCESSING')"
LOOK_UPS = (
    ("orders", "id", "order_status = 'PENDING'"),
    ("orders", "created_at", "order_status = 'INITIALISED'"),
    ("notifications", "id", "notification_status = 'PENDING'"),
    ("meter_interactions", "meter_interaction_status, meter_id", _UNFINISHED),
    ("meter_interactions", "meter_id, meter_interaction_type, created_at desc", None),
    ("meter_interactions", "batch_execution_id, meter_interaction_status", "batch_execution_id is not null"),
    ("meter_interactions", "meter_commissioning_id", "meter_commissioning_id is not null"),
    ("meter_interactions", "meter_id, attribute", _UNFINISHED),
    ("meter_interactions", "expires_at", "meter_interaction_status in ('QUEUED', 'SUSPENDED')"),
    ("directive_batches", "hour, minute", "not is_deleted"),
    ("directive_batch_executions", "created_at", "completed_at is null"),
    ("meters", "issue_check_last_run_at nulls first", "connection_id is not null"),
    ("audits", "organization_id, created_at desc", None),
    (
        "orders",
        "historical_grid_id, created_at",
        "meta_order_type = 'ENERGY_TOPUP' and order_status = 'COMPLETED'",
    ),
    ("orders", "rls_organization_id, created_at desc", None),
    ("transactions", "wallet_id, id desc", None),
    ("internal.provisioning_jobs", "next_run_at", "status in ('QUEUED', 'RUNNING', 'WAITING')"),
)


def _forms(table: str, *, unique: bool) -> set[tuple[str, str | None]]:
    return {_form(index) for index in metadata.tables[table].indexes if bool(index.unique) is unique}


def _form(index: Index) -> tuple[str, str | None]:
    statement = " ".join(str(CreateIndex(index).compile(dialect=DIALECT)).split()).lower()
    match = re.search(r" \((.*?)\)(?: where (.*))?$", statement)
    assert match, statement
    return match[1], match[2]


def _lower(condition: str | None) -> str | None:
    return condition and condition.lower()


@pytest.mark.parametrize(("table", "columns", "condition"), UNIQUE)
def test_uniqueness_is_added_as_indexes(table: str, columns: str, condition: str | None) -> None:
    """[REL-138] [REL-116] An index, not a constraint, so that embedded relations keep their shape."""
    assert (columns, _lower(condition)) in _forms(table, unique=True)


@pytest.mark.parametrize(("table", "columns", "condition"), LOOK_UPS)
def test_queues_and_look_ups_have_indexes(table: str, columns: str, condition: str | None) -> None:
    """[REL-140] [REL-165] Each finds its rows without a walk through the table."""
    assert (columns, _lower(condition)) in _forms(table, unique=False)
