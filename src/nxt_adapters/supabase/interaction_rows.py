"""Rows of ``meter_interactions`` and the entities they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from nxt_adapters.supabase.written import Record
from nxt_domain.meters.model import (
    Interaction,
    InteractionFailure,
    InteractionStatus,
    InteractionType,
    NewInteraction,
    Origin,
    Resolution,
    VerificationState,
)
from nxt_domain.shared.clock import iso_millis


def interaction_of(row: Record) -> Interaction:
    """Read a row."""
    return Interaction(
        id=row.id,
        created_at=row.created_at,
        updated_at=row.updated_at,
        meter_id=row.meter_id,
        type=InteractionType(row.meter_interaction_type),
        status=InteractionStatus(row.meter_interaction_status),
        origin=Origin(row.origin),
        priority=row.priority,
        token=row.token,
        energy_kwh=row.transactive_kwh,
        target_power_limit_w=row.target_power_limit,
        payload=row.payload_data,
        result=row.result_value,
        delivery_failures=tuple(_failure(record) for record in row.delivery_failure_history or ()),
        order_id=row.order_id,
        batch_execution_id=row.batch_execution_id,
        meter_commissioning_id=row.meter_commissioning_id,
        resolution=None if row.resolution is None else Resolution(row.resolution),
        follow_up_of_id=row.follow_up_of_id,
        superseded_by_id=row.superseded_by_id,
        expires_at=row.expires_at,
        verification_state=None if row.verification_state is None else VerificationState(row.verification_state),
        attempts=row.attempts,
        first_transmitted_at=row.first_transmitted_at,
        token_issued_at=row.token_issued_at,
    )


NEW: Final[Mapping[str, str]] = {
    "meter_id": "int",
    "meter_interaction_type": "meter_interaction_type_enum",
    "meter_interaction_status": "meter_interaction_status_enum",
    "origin": "text",
    "priority": "int",
    "rls_organization_id": "int",
    "token": "text",
    "token_issued_at": "timestamptz",
    "transactive_kwh": "numeric",
    "target_power_limit": "int",
    "payload_data": "jsonb",
    "result_value": "jsonb",
    "delivery_failure_history": "jsonb",
    "order_id": "int",
    "resolution": "interaction_resolution_enum",
    "follow_up_of_id": "bigint",
    "expires_at": "timestamptz",
    "author_id": "int",
}
"""Columns of a new row, with their types."""

CHANGING: Final[Mapping[str, str]] = {
    "updated_at": "timestamptz",
    "meter_interaction_status": "meter_interaction_status_enum",
    "priority": "int",
    "token": "text",
    "target_power_limit": "int",
    "result_value": "jsonb",
    "delivery_failure_history": "jsonb",
    "resolution": "interaction_resolution_enum",
    "superseded_by_id": "bigint",
    "expires_at": "timestamptz",
    "verification_state": "text",
    "attempts": "int",
    "first_transmitted_at": "timestamptz",
    "token_issued_at": "timestamptz",
}
"""Columns that may change, with their types."""


def new_row(new: NewInteraction) -> dict[str, object]:
    """Write the columns of a new row."""
    return {
        "meter_id": new.meter_id,
        "meter_interaction_type": new.type,
        "meter_interaction_status": new.status,
        "origin": new.origin,
        "priority": new.priority,
        "rls_organization_id": new.organization_id,
        "token": new.token,
        "token_issued_at": new.token_issued_at,
        "transactive_kwh": new.energy_kwh,
        "target_power_limit": new.target_power_limit_w,
        "payload_data": new.payload,
        "result_value": new.result,
        "delivery_failure_history": _failures(new.delivery_failures),
        "order_id": new.order_id,
        "resolution": new.resolution,
        "follow_up_of_id": new.follow_up_of_id,
        "expires_at": new.expires_at,
        "author_id": new.author_id,
    }


def row_of(interaction: Interaction) -> dict[str, object]:
    """Write the columns that may change, with the id."""
    return {
        "id": interaction.id,
        "updated_at": interaction.updated_at,
        "meter_interaction_status": interaction.status,
        "priority": interaction.priority,
        "token": interaction.token,
        "target_power_limit": interaction.target_power_limit_w,
        "result_value": interaction.result,
        "delivery_failure_history": _failures(interaction.delivery_failures),
        "resolution": interaction.resolution,
        "superseded_by_id": interaction.superseded_by_id,
        "expires_at": interaction.expires_at,
        "verification_state": interaction.verification_state,
        "attempts": interaction.attempts,
        "first_transmitted_at": interaction.first_transmitted_at,
        "token_issued_at": interaction.token_issued_at,
    }


def _failures(records: Sequence[InteractionFailure]) -> list[dict[str, object]] | None:
    return [_record(record) for record in records] or None


def _record(record: InteractionFailure) -> dict[str, object]:
    """Write a record as dashboards read it: camelCase, absent members left out [MET-24]."""
    facts: dict[str, object] = {
        "timestamp": iso_millis(record.timestamp),
        "status": record.status,
        "reason": record.reason,
    }
    optional = {"errorCode": record.error_code, "details": record.details, "code": record.code}
    facts |= {name: value for name, value in optional.items() if value is not None}
    return facts | {"isFinal": True} if record.is_final else facts


def _failure(record: Mapping[str, Any]) -> InteractionFailure:
    return InteractionFailure(
        timestamp=datetime.fromisoformat(record["timestamp"]),
        status=record["status"],
        reason=record["reason"],
        error_code=record.get("errorCode"),
        details=record.get("details"),
        is_final=record.get("isFinal", False),
        code=record.get("code"),
    )
