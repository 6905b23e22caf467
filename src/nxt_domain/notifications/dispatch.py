"""Sending what waits [AUTO 8.4]."""

from __future__ import annotations

from datetime import timedelta

from nxt_domain.notifications.errors import SmsFateUnknown, SmsNotSent, SmsRefused
from nxt_domain.notifications.model import SmsMessage
from nxt_domain.notifications.ports import Sms
from nxt_domain.notifications.queue import NotificationQueue, WaitingSms
from nxt_domain.shared.errors import InvalidInput

_PASS = 100
_CLAIM = timedelta(minutes=10)
_ATTEMPTS = 5
_FIRST_DELAY = timedelta(seconds=5)


class DispatchSms:
    """Sends pending messages; each row's outcome is stored before the next is sent.

    Args:
        queue: The rows.
        sms: The gateway.
    """

    def __init__(self, *, queue: NotificationQueue, sms: Sms) -> None:
        self._queue = queue
        self._sms = sms

    async def __call__(self) -> int:
        """Run one pass; return how many rows were claimed."""
        await self._queue.fail_interrupted()
        claimed = await self._queue.claim_sms(limit=_PASS, lease=_CLAIM)
        for row in claimed:  # one after another: a gateway's order is the reader's order [AUTO-84]
            await self._send(row)
        return len(claimed)

    async def _send(self, row: WaitingSms) -> None:
        try:
            message = SmsMessage(to_phone=row.phone or "", text=row.text or "")
        except InvalidInput as unusable:
            await self._queue.failed(row.id, unusable.message)
            return
        if not await self._queue.begin(row.id):
            return
        try:
            receipt = await self._sms.send(message)
        except SmsNotSent as error:
            await self._try_later(row, error)
        except (SmsRefused, SmsFateUnknown) as error:
            await self._queue.failed(row.id, f"{error.code}: {error.message}")
        else:
            await self._queue.accepted(row.id, receipt.reference)

    async def _try_later(self, row: WaitingSms, error: SmsNotSent) -> None:
        """Wait longer each time; the fifth attempt is the last [AUTO-85]."""
        if row.attempt_count + 1 >= _ATTEMPTS:
            await self._queue.failed(row.id, f"{error.code}: {error.message}")
        else:
            delay = _FIRST_DELAY * (4**row.attempt_count)
            await self._queue.postponed(row.id, f"{error.code}: {error.message}", delay=delay)
