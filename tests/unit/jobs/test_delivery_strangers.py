"""What the relay does with news of meters and gateways that are not in the books."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from typing import Any

from structlog.testing import capture_logs

from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_domain.messaging.events import delivery_task, unsolicited_event
from nxt_domain.messaging.model import (
    CommandType,
    DeliveryStatus,
    Device,
    DeviceEvent,
    ExecutionStatus,
    RelayNode,
    Response,
)
from nxt_domain.meters.use_cases.apply_delivery_events import ApplyDeliveryEvents
from nxt_domain.shared.outbox import ClaimedTask
from nxt_entrypoints.jobs.handlers import Handlers

NOW = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)


def report(number: str, gateway: str) -> ClaimedTask:
    spoken = DeviceEvent(
        delivery_status=DeliveryStatus.DELIVERY_SUCCESSFUL,
        command_type=CommandType.READ_REPORT,
        device=Device(
            external_reference=number, relay_node=RelayNode(external_reference=gateway, snr=4.0, rssi=-101.0)
        ),
        response=Response(status=ExecutionStatus.EXECUTION_SUCCESS, data={"freezeTime": "2026-03-10 09:00"}),
        unsolicited=True,
    )
    task = delivery_task(unsolicited_event(spoken, plugin_id="calin-chirpstack", event_id="01", now=NOW))
    return ClaimedTask(
        id=1,
        kind=task.kind,
        dedupe_key=task.dedupe_key,
        payload=task.payload,
        stream_key=task.stream_key,
        order_id=None,
        attempts=0,
        created_at=NOW,
        give_up_at=None,
        lease_until=NOW,
    )


async def test_strangers_are_named_in_the_log() -> None:
    """[DM-181] [DM-182] [MET-82] The task is done all the same: repeating it would make nobody known."""
    plane = MemoryPlane()
    others: dict[str, Any] = dict.fromkeys(inspect.signature(Handlers).parameters)
    apply = ApplyDeliveryEvents(begin=plane.begin, clock=plane.clock, wakeups=plane.wakeups)
    with capture_logs() as lines:
        await Handlers(**{**others, "apply_delivery_events": apply}).delivery_events(
            [report("47009999999", "A84041FFFF2FFFFF")]
        )
    assert [(line["log_level"], line.get("meter"), line.get("gateway")) for line in lines] == [
        ("warning", "47009999999", None),
        ("warning", None, "a84041ffff2fffff"),
    ]
