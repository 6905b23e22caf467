"""Events to the adopter's webhook, in memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_domain.messaging.stand_alone_ports import WaitingEvent
from nxt_domain.shared.outbox import OutboxTask


@attrs.frozen(kw_only=True)
class _Row:
    event: WaitingEvent
    stream: str
    due_at: datetime
    last_error: str | None = None
    buried_at: datetime | None = None


class MemoryEventOutbox:
    """Implements ``EventOutbox``, and the ``Outbox`` that fills it.

    Args:
        database: Gives the clock and the sequence.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._rows: dict[int, _Row] = database.table("event_outbox")

    async def add(self, tasks: Sequence[OutboxTask]) -> None:
        """See ``Outbox.add``."""
        known = {row.event.event_id for row in self._rows.values()}
        for task in tasks:
            event_id = str(task.payload["eventId"])
            message = task.payload["message"]
            correlation_id = message.get("correlationId") if isinstance(message, dict) else None
            if event_id in known:
                continue
            known.add(event_id)
            number = self._database.next_id("event_outbox")
            event = WaitingEvent(
                id=number,
                event_id=event_id,
                correlation_id=correlation_id,
                body=json.dumps(task.payload, separators=(",", ":")).encode(),
                attempts=0,
                lease_until=self._now - timedelta(microseconds=1),
            )
            self._rows[number] = _Row(event=event, stream=task.stream_key or task.dedupe_key, due_at=self._now)

    async def claim(self, *, limit: int, lease: timedelta) -> Sequence[WaitingEvent]:
        """See ``EventOutbox.claim``."""
        heads: dict[str, int] = {}
        for number, row in sorted(self._rows.items()):
            if row.buried_at is None:
                heads.setdefault(row.stream, number)
        due = [row for row in self._rows.values() if heads.get(row.stream) == row.event.id and self._is_free(row)]
        chosen = sorted(due, key=lambda row: (row.due_at, row.event.id))[:limit]
        leased = [attrs.evolve(row.event, lease_until=self._now + lease) for row in chosen]
        for event in leased:
            self._rows[event.id] = attrs.evolve(self._rows[event.id], event=event)
        return sorted(leased, key=lambda event: event.id)

    async def delivered(self, event: WaitingEvent) -> None:
        """See ``EventOutbox.delivered``."""
        if self._holds(event):
            del self._rows[event.id]

    async def retry(self, event: WaitingEvent, *, error: str, delay: timedelta) -> None:
        """See ``EventOutbox.retry``."""
        if self._holds(event):
            self._fail(event, error, due_at=self._now + delay, buried_at=None)

    async def bury(self, event: WaitingEvent, *, error: str) -> None:
        """See ``EventOutbox.bury``."""
        if self._holds(event):
            self._fail(event, error, due_at=self._now, buried_at=self._now)

    async def prune(self, older_than: timedelta) -> int:
        """See ``EventOutbox.prune``."""
        before = self._now - older_than
        old = [key for key, row in self._rows.items() if row.buried_at is not None and row.buried_at < before]
        for key in old:
            del self._rows[key]
        return len(old)

    def dead_letters(self) -> Sequence[tuple[str, int, str | None]]:
        """Return event id, attempts and last error of those given up."""
        rows = [row for row in self._rows.values() if row.buried_at is not None]
        return [(row.event.event_id, row.event.attempts, row.last_error) for row in rows]

    def spoil(self, event_id: str) -> None:
        """Make an event unreadable, as an edit by hand would."""
        for key, row in self._rows.items():
            if row.event.event_id == event_id:
                self._rows[key] = attrs.evolve(row, event=attrs.evolve(row.event, body=None))

    def _is_free(self, row: _Row) -> bool:
        return row.due_at <= self._now and row.event.lease_until <= self._now

    def _holds(self, event: WaitingEvent) -> bool:
        row = self._rows.get(event.id)
        return row is not None and row.event.lease_until == event.lease_until

    def _fail(self, event: WaitingEvent, error: str, *, due_at: datetime, buried_at: datetime | None) -> None:
        failed = attrs.evolve(event, attempts=event.attempts + 1, lease_until=self._now - timedelta(microseconds=1))
        row = attrs.evolve(self._rows[event.id], event=failed, last_error=error, due_at=due_at, buried_at=buried_at)
        self._rows[event.id] = row

    @property
    def _now(self) -> datetime:
        return self._database.clock.now()
