"""Notifications that wait to be sent, and what may become of one [AUTO 8.4]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import attrs

from nxt_domain.notifications.model import mask_phone


@attrs.frozen(kw_only=True)
class WaitingSms:
    """A claimed row of ``notifications``, still ``PENDING``.

    Attributes:
        attempt_count: Attempts that certainly did not reach the gateway.
    """

    id: int
    phone: str | None = attrs.field(repr=lambda phone: mask_phone(phone or ""))
    text: str | None = attrs.field(repr=lambda text: f"<{len(text or '')} characters>")
    attempt_count: int


class NotificationQueue(Protocol):
    """Claims and outcomes of notifications; each call is one transaction, written at once [AUTO-84]."""

    async def claim_sms(self, *, limit: int, lease: timedelta) -> Sequence[WaitingSms]:
        """Claim pending messages, oldest first, skipping those that others hold [AUTO-81]."""

    async def begin(self, notification_id: int) -> bool:
        """Mark a claimed row ``PROCESSING`` right before its provider is called; False: someone else was first."""

    async def accepted(self, notification_id: int, reference: str) -> None:
        """The provider took it: ``RECEIVED_BY_API``."""

    async def failed(self, notification_id: int, error: str) -> None:
        """It is over: ``FAILED``, never sent again by itself."""

    async def postponed(self, notification_id: int, error: str, *, delay: timedelta) -> None:
        """It certainly was not sent: ``PENDING`` again, one attempt more, due after ``delay``."""

    async def fail_interrupted(self) -> int:
        """Fail rows whose sender died while ``PROCESSING``: they may have been sent [AUTO-82]."""
