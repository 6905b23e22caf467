"""Text messages that wait to be sent, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs

from nxt_adapters.memory.database import MemoryDatabase, MemoryTransaction
from nxt_domain.notifications.queue import WaitingSms
from nxt_domain.orders.notices import SmsNotice

_SENDING = timedelta(minutes=10)


@attrs.frozen(kw_only=True)
class NotificationRow:
    """A text message and what became of it."""

    id: int
    notice: SmsNotice
    status: str = "PENDING"
    reference: str | None = None
    attempt_count: int = 0
    claimed_until: datetime | None = None
    last_error: str | None = None


class MemoryNotificationQueue:
    """Implements ``NotificationQueue`` over the notices that ``MemoryNotices`` stored.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._notices: dict[str, SmsNotice] = database.table("notices")
        self._rows: dict[int, NotificationRow] = database.table("notifications")

    async def claim_sms(self, *, limit: int, lease: timedelta) -> Sequence[WaitingSms]:
        """See ``NotificationQueue.claim_sms``."""
        async with MemoryTransaction(self._database) as transaction:
            self._note_new()
            due = [row for _, row in sorted(self._rows.items()) if row.status == "PENDING" and not self._is_held(row)]
            for row in due[:limit]:
                self._rows[row.id] = attrs.evolve(row, claimed_until=self._now + lease)
            await transaction.commit()
        return [
            WaitingSms(id=row.id, phone=row.notice.phone, text=row.notice.message, attempt_count=row.attempt_count)
            for row in due[:limit]
        ]

    async def begin(self, notification_id: int) -> bool:
        """See ``NotificationQueue.begin``."""
        if self._rows[notification_id].status != "PENDING":
            return False
        await self._change(notification_id, status="PROCESSING", claimed_until=self._now + _SENDING)
        return True

    async def accepted(self, notification_id: int, reference: str) -> None:
        """See ``NotificationQueue.accepted``."""
        await self._change(
            notification_id, status="RECEIVED_BY_API", reference=reference, claimed_until=None, last_error=None
        )

    async def failed(self, notification_id: int, error: str) -> None:
        """See ``NotificationQueue.failed``."""
        await self._change(notification_id, status="FAILED", last_error=error, claimed_until=None)

    async def postponed(self, notification_id: int, error: str, *, delay: timedelta) -> None:
        """See ``NotificationQueue.postponed``."""
        attempts = self._rows[notification_id].attempt_count + 1
        await self._change(
            notification_id,
            status="PENDING",
            last_error=error,
            attempt_count=attempts,
            claimed_until=self._now + delay,
        )

    async def fail_interrupted(self) -> int:
        """See ``NotificationQueue.fail_interrupted``."""
        lost = [row.id for row in self._rows.values() if row.status == "PROCESSING" and not self._is_held(row)]
        for notification_id in lost:
            await self.failed(notification_id, "INTERRUPTED: its sender ended while it was being sent")
        return len(lost)

    def rows(self) -> Sequence[NotificationRow]:
        """Return all messages, oldest first."""
        self._note_new()
        return [row for _, row in sorted(self._rows.items())]

    @property
    def _now(self) -> datetime:
        return self._database.clock.now()

    def _is_held(self, row: NotificationRow) -> bool:
        return row.claimed_until is not None and row.claimed_until > self._now

    def _note_new(self) -> None:
        known = {row.notice.dedupe_key for row in self._rows.values()}
        for key, notice in self._notices.items():
            if key not in known:
                number = self._database.next_id("notifications")
                self._rows[number] = NotificationRow(id=number, notice=notice)

    async def _change(self, notification_id: int, **changes: object) -> None:
        async with MemoryTransaction(self._database) as transaction:
            self._rows[notification_id] = attrs.evolve(self._rows[notification_id], **changes)  # type: ignore[arg-type]  # by name
            await transaction.commit()
