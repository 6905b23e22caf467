"""How many messages of one ready queue may leave at once [DM 4.2]."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

_SEGMENTS = 4


@attrs.frozen(kw_only=True)
class Admission:
    """The pace of a plug-in's ready queues; 0 means unlimited [R9].

    Attributes:
        min_interval_ms: Spacing: at least this long between two claims of one message each [DM-26].
        max_in_flight: Concurrency: messages of one queue on their way at once, from claim to end [DM-27].
    """

    min_interval_ms: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    max_in_flight: int = attrs.field(default=0, validator=attrs.validators.ge(0))

    @property
    def min_interval(self) -> timedelta:
        """Spacing as a duration."""
        return timedelta(milliseconds=self.min_interval_ms)

    @property
    def takes_slots(self) -> bool:
        """Whether claimed messages hold a slot."""
        return self.max_in_flight > 0

    def allowance(self, *, now: datetime, last_claim_at: datetime | None, in_flight: int, limit: int) -> int:
        """Tell how many messages may be claimed from one queue now.

        Args:
            now: The database's time.
            last_claim_at: When its latest claim was made; None: never.
            in_flight: Its messages that hold a slot.
            limit: What the caller can take at most.
        """
        allowed = limit
        if self.min_interval_ms:
            allowed = min(allowed, 1 if self.opens_at(last_claim_at, now) <= now else 0)
        if self.max_in_flight:
            allowed = min(allowed, self.max_in_flight - in_flight)
        return max(allowed, 0)

    def opens_at(self, last_claim_at: datetime | None, now: datetime) -> datetime:
        """Tell when spacing lets the next message through.

        A claim that lies further ahead than the interval was noted before the clock was set back: it counts as none.
        """
        if last_claim_at is None or last_claim_at > now + self.min_interval:
            return now
        return last_claim_at + self.min_interval


def owner_of(ready_queue: str) -> str | None:
    """Read the plug-in's id from a ready queue's key, ``queue:<plugin>:<kind>:<node>`` [DM-23].

    Returns:
        None: the key is malformed and its queue must be skipped [DM-31].
    """
    segments = ready_queue.split(":")
    return segments[1] if len(segments) == _SEGMENTS and all(segments) else None


def queue_key(plugin_id: str, kind: str, node: object) -> str:
    """Write a ready queue's key.

    Raises:
        ValueError: A segment is empty or contains a colon.
    """
    key = f"queue:{plugin_id}:{kind}:{node}"
    if owner_of(key) != plugin_id:
        raise ValueError(f"not a ready-queue key: {key!r}")
    return key
