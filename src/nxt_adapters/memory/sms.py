"""A text message gateway in memory."""

from __future__ import annotations

from collections import deque

from nxt_domain.notifications.errors import SmsFateUnknown, SmsNotSent, SmsRefused
from nxt_domain.notifications.model import SmsMessage, SmsReceipt


class MemorySms:
    """Keeps what it was given, and fails when told to.

    Attributes:
        sent: What was taken, oldest first, with its reference.
        refused_phones: Numbers that it does not serve, and why.
    """

    def __init__(self) -> None:
        self.sent: list[tuple[SmsReceipt, SmsMessage]] = []
        self.refused_phones: dict[str, str] = {}
        self._failures: deque[SmsNotSent | SmsFateUnknown] = deque()

    def fail_next(self, failure: SmsNotSent | SmsFateUnknown) -> None:
        """Let one call fail; with an unknown fate the message was taken nevertheless."""
        self._failures.append(failure)

    async def send(self, message: SmsMessage) -> SmsReceipt:
        """Take a message, or fail as told."""
        failure = self._failures.popleft() if self._failures else None
        if isinstance(failure, SmsNotSent):
            raise failure
        refusal = self.refused_phones.get(message.to_phone)
        if refusal is not None:
            raise SmsRefused(refusal)
        receipt = SmsReceipt(reference=f"memory-{len(self.sent) + 1}")
        self.sent.append((receipt, message))
        if failure is not None:
            raise failure
        return receipt
