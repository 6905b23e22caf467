"""Rows of ``messaging.device_messages`` and the messages they hold."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nxt_adapters.supabase.engine import dump_json
from nxt_domain.messaging.machine import Finished
from nxt_domain.messaging.model import CommandType, DeliveryStatus, DeviceMessage, NewMessage, Phase
from nxt_domain.messaging.wire import (
    device_from_json,
    device_to_json,
    failure_to_json,
    failures_from_json,
    request_data_from_json,
    request_data_to_json,
    response_to_json,
)
from nxt_domain.shared.ids import ulid_time

COLUMNS = (
    "id, command_type, priority, plugin_id, request_data, phase, network_id, correlation_id, device, ready_queue,"
    " delivery_status, delivery_queue_id, past_delivery_queue_ids, retry_count, failure_history, due_at, lease_owner,"
    " lease_until, enqueued_at, expires_at"
)


def qualified(alias: str) -> str:
    """Write the columns of a message with the alias of their table."""
    return ", ".join(f"{alias}.{name.strip()}" for name in COLUMNS.split(","))


def message_of(row: Sequence[Any]) -> DeviceMessage:
    """Read a row, whose columns are ``COLUMNS`` and any others after them.

    Raises:
        ValueError: A text is not of its vocabulary, or the id is no ULID.
        InvalidInput: A document has not its shape.
    """
    (
        id_, command, priority, plugin_id, request_data, phase, network_id, correlation_id, device, ready_queue,
        status, remote_id, past_remote_ids, retry_count, history, due_at, owner, lease_until, enqueued_at, expires_at,
        *_,
    ) = row  # fmt: skip
    ulid_time(id_)
    if not math.isfinite(priority):
        raise ValueError("priority is not finite")
    return DeviceMessage(
        id=id_,
        command_type=CommandType(command),
        priority=priority,
        plugin_id=plugin_id,
        device=device_from_json(device),
        ready_queue=ready_queue,
        request_data=None if request_data is None else request_data_from_json(request_data),
        phase=None if phase is None else Phase(phase),
        network_id=network_id,
        correlation_id=correlation_id,
        delivery_status=DeliveryStatus(status),
        delivery_queue_id=remote_id,
        past_delivery_queue_ids=tuple(past_remote_ids),
        retry_count=retry_count,
        failure_history=failures_from_json(history),
        enqueued_at=enqueued_at,
        expires_at=expires_at,
        due_at=due_at,
        lease_owner=owner,
        lease_until=lease_until,
    )


def new_rows(messages: Sequence[NewMessage], ids: Sequence[str], ready_queues: Sequence[str]) -> str:
    """Write new messages as one JSON array, to be read by ``jsonb_to_recordset``."""
    return json.dumps(
        [
            {
                "id": message_id,
                "command_type": message.command_type,
                "priority": message.priority,
                "plugin_id": message.plugin_id,
                "request_data": request_data_to_json(message.request_data) if message.request_data else None,
                "phase": message.phase,
                "network_id": message.network_id,
                "correlation_id": message.correlation_id,
                "device": device_to_json(message.device),
                "ready_queue": queue,
            }
            for message_id, message, queue in zip(ids, messages, ready_queues, strict=True)
        ]
    )


def changed_rows(messages: Iterable[DeviceMessage]) -> str:
    """Write what may change in live messages as one JSON array."""
    return dump_json(
        [
            {
                "id": message.id,
                "delivery_status": message.delivery_status,
                "delivery_queue_id": message.delivery_queue_id,
                "past_delivery_queue_ids": list(message.past_delivery_queue_ids),
                "retry_count": message.retry_count,
                "failure_history": _history(message),
                "due_at": message.due_at,
                "is_in_flight": message.delivery_status.is_in_flight,
            }
            for message in messages
        ]
    )


def final_rows(finished: Iterable[Finished]) -> str:
    """Write what the end of messages adds to their rows as one JSON array."""
    return dump_json(
        [
            {
                "id": end.message.id,
                "outcome": end.message.delivery_status,
                "device": device_to_json(end.message.device),
                "failure_history": _history(end.message),
                "response": None if end.response is None else response_to_json(end.response),
            }
            for end in finished
        ]
    )


def _history(message: DeviceMessage) -> Sequence[Mapping[str, object]]:
    return [failure_to_json(record) for record in message.failure_history]
