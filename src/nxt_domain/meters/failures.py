"""The bounded, newest-first list of failure records [MET-24]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs

from nxt_domain.meters.model import MAX_FAILURE_RECORDS, Interaction, InteractionFailure

_MILLISECOND = timedelta(milliseconds=1)


def prepended(
    records: Sequence[InteractionFailure], history: Sequence[InteractionFailure]
) -> tuple[InteractionFailure, ...]:
    """Put ``records`` (newest first) in front of ``history``; time stamps are made unique, the list stays bounded."""
    taken = {record.timestamp for record in history}
    fresh: list[InteractionFailure] = []
    for record in reversed(records):
        timestamp = record.timestamp
        while timestamp in taken:
            timestamp += _MILLISECOND
        taken.add(timestamp)
        fresh.insert(0, attrs.evolve(record, timestamp=timestamp))
    return _bounded((*fresh, *history))


def expired_record(interaction: Interaction, now: datetime) -> InteractionFailure:
    """Say that an interaction waited past its ``expires_at`` [MET-116]."""
    return InteractionFailure(
        timestamp=now,
        status=interaction.status,
        reason="The interaction expired before it could be delivered",
        code="EXPIRED",
        is_final=True,
    )


def _bounded(records: tuple[InteractionFailure, ...]) -> tuple[InteractionFailure, ...]:
    if len(records) <= MAX_FAILURE_RECORDS:
        return records
    kept = [record for record in records if record.code != "TRUNCATED"]
    while len(kept) > MAX_FAILURE_RECORDS - 1:
        oldest = next((record for record in reversed(kept) if not record.is_final), kept[-1])
        kept.remove(oldest)
    last = kept[-1]
    return (
        *kept,
        InteractionFailure(
            timestamp=last.timestamp - _MILLISECOND,
            status=last.status,
            reason="Older records were dropped",
            code="TRUNCATED",
        ),
    )
