"""What dashboards and other roles hear about interactions."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from nxt_domain.meters.model import Interaction, Meter
from nxt_domain.shared.clock import iso_millis
from nxt_domain.shared.json import Json, JsonObject
from nxt_domain.shared.outbox import OutboxTask

SOCKET_EVENT = "SOCKET_EVENT"
HOURLY_REPORT = "HOURLY_REPORT"
TOP_UP_COMMAND = "TOP_UP_COMMAND"


class Operation(StrEnum):
    """Whether an interaction is new to dashboards."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"


def socket_event(operation: Operation, interaction: Interaction, meter: Meter) -> OutboxTask | None:
    """Make the news of an interaction for its grid's room; None for a meter without grid [MET-93, R49]."""
    if meter.grid_id is None:
        return None
    moment = iso_millis(interaction.updated_at)
    return OutboxTask(
        kind=SOCKET_EVENT,
        dedupe_key=f"socket:{interaction.id}:{operation}:{interaction.status}:{interaction.updated_at.isoformat()}",
        stream_key=f"interaction:{interaction.id}",
        grid_id=meter.grid_id,
        give_up_after=timedelta(seconds=30),
        payload={
            "room": str(meter.grid_id),
            "event": "meter-interaction",
            "message": {
                "operation": operation.value,
                "data": {
                    "id": interaction.id,
                    "updated_at": moment,
                    "meter_interaction_type": interaction.type.value,
                    "meter_interaction_status": interaction.status.value,
                    "meter_external_reference": meter.external_reference,
                    "dcu_external_reference": meter.dcu_external_reference,
                },
            },
        },
    )


def hourly_report(interaction: Interaction, meter: Meter, result: JsonObject, received_at: datetime) -> OutboxTask:
    """Pass a report's counter and credit on to the telemetry role [MET-85, R36]."""
    facts: dict[str, Json] = {
        "meter_id": meter.id,
        "created_at": iso_millis(received_at),
        "counter_kwh": result.get("consumption_source_1"),
        "kwh_credit_available": result.get("purchase_remain_source_1"),
        "freeze_time": result.get("freeze_time"),
    }
    return OutboxTask(
        kind=HOURLY_REPORT,
        dedupe_key=f"report:{interaction.id}",
        grid_id=meter.grid_id,
        give_up_after=timedelta(hours=24),
        payload=facts,
    )


def top_up_command(order_id: int, *, delay: timedelta = timedelta(0)) -> OutboxTask:
    """Ask for the token and message of a paid order, again and again until they exist [R1, PAY-121]."""
    return OutboxTask(
        kind=TOP_UP_COMMAND,
        dedupe_key=f"order:{order_id}:topup",
        order_id=order_id,
        payload={"order_id": order_id},
        delay=delay,
    )
