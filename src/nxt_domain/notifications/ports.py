"""What notifications need from outside."""

from __future__ import annotations

from typing import Protocol

from nxt_domain.notifications.model import SmsMessage, SmsReceipt


class Sms(Protocol):
    """Sends text messages. Not idempotent: two calls are two messages and cost twice [AUTO-87]."""

    async def send(self, message: SmsMessage) -> SmsReceipt:
        """Hand one message to the gateway.

        Raises:
            SmsRefused: The gateway will not send it.
            SmsNotSent: It was not reached; a later attempt is safe.
            SmsFateUnknown: It may have been sent.
        """
