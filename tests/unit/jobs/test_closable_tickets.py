"""What the relay does with a ticket whose issue is over."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from nxt_adapters.memory.tracker import MemoryTracker
from nxt_domain.fieldwork.issues import TICKET_CLOSABLE, Issue, IssueStatus, IssueType, ticket_closable
from nxt_domain.fieldwork.tracker import NewTicket
from nxt_domain.shared.errors import UpstreamFailed
from nxt_domain.shared.outbox import ClaimedTask
from nxt_entrypoints.jobs.handlers import Handlers

AT = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)
OPEN = Issue(id=5, issue_type=IssueType.TAMPER, issue_status=IssueStatus.OPEN, external_reference="OPS-1", meter_id=9)


def handlers(tracker: MemoryTracker | None) -> Handlers:
    others: dict[str, Any] = dict.fromkeys(inspect.signature(Handlers).parameters)
    return Handlers(**{**others, "tracker": tracker})


def claimed(ticket: str = "OPS-1") -> ClaimedTask:
    task = ticket_closable(OPEN, OPEN.changed({"issue_status": IssueStatus.CLOSED, "external_reference": ticket}, AT))
    assert task is not None
    return ClaimedTask(
        id=1,
        kind=task.kind,
        dedupe_key=task.dedupe_key,
        payload=task.payload,
        stream_key=task.stream_key,
        order_id=None,
        attempts=0,
        created_at=AT,
        give_up_at=AT + (task.give_up_after or AT - AT),
        lease_until=AT,
    )


async def test_the_tracker_is_told() -> None:
    """[API-100] [AUTO-154] A ticket that is gone is no reason to try again; a tracker that is away is."""
    tracker = MemoryTracker()
    key = await tracker.open(
        NewTicket(title="t", grid_id=1, grid_name="g", organization_name="o", meter_id=9, meter_number="47", since=AT)
    )
    await handlers(tracker).closable_ticket([claimed(key)])
    assert tracker.comments == [(key, "This issue can be closed")]
    with capture_logs() as told:
        await handlers(tracker).closable_ticket([claimed("OPS-99")])
    assert [line["ticket"] for line in told] == ["OPS-99"]
    tracker.is_down = True
    with pytest.raises(UpstreamFailed):
        await handlers(tracker).closable_ticket([claimed(key)])
    await handlers(None).closable_ticket([claimed(key)])
    assert len(tracker.comments) == 1
    assert TICKET_CLOSABLE in {lane.kind for lane in handlers(None).lanes()}


def test_which_changes_are_told() -> None:
    """[API-100] [AUTO-154] From open to closed or overridden, with a ticket; each closing has a key of its own."""
    closed = OPEN.changed({"issue_status": IssueStatus.CLOSED}, AT)
    assert ticket_closable(OPEN, OPEN) is None
    assert ticket_closable(closed, OPEN.changed({"issue_status": IssueStatus.OVERRIDDEN}, AT)) is None
    assert ticket_closable(closed, OPEN) is None
    assert (
        ticket_closable(OPEN, OPEN.changed({"issue_status": IssueStatus.CLOSED, "external_reference": None}, AT))
        is None
    )
    later = OPEN.changed({"issue_status": IssueStatus.CLOSED}, AT.replace(hour=10))
    first, second = ticket_closable(OPEN, closed), ticket_closable(OPEN, later)
    assert first is not None
    assert second is not None
    assert first.dedupe_key != second.dedupe_key
