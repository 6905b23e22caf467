"""Calls for a person, as effects of the transaction that found the trouble [PAY-134]."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from nxt_domain.shared.clock import iso_millis
from nxt_domain.shared.outbox import OutboxTask

ALERT = "ALERT"


def alert(code: str, subject: str, text: str, *, at: datetime, facts: Mapping[str, object] | None = None) -> OutboxTask:
    """Make the task that tells the operators; the same code and subject at most once an hour.

    Args:
        code: Stable upper-case name, e.g. ``LATE_PAYMENT``.
        subject: What it concerns, e.g. ``order:50``.
        text: One sentence for people, without secrets.
        at: Present instant, aware UTC.
        facts: Ids and amounts for the log record.
    """
    hour = at.replace(minute=0, second=0, microsecond=0)
    return OutboxTask(
        kind=ALERT,
        dedupe_key=f"alert:{code}:{subject}:{iso_millis(hour)}",
        payload={"code": code, "subject": subject, "text": text, "facts": dict(facts or {})},
    )
