"""The bounded, newest-first list of failure records [MET-24]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs

from nxt_domain.meters.model import MAX_FAILURE_RECORDS, Interaction, InteractionFailure

_MILLISECOND = timedelta(milliseconds=1)
_TRUNCATED = "TRUNCATED"


def prepended(
    records: Sequence[InteractionFailure], history: Sequence[InteractionFailure]
) -> tuple[InteractionFailure, ...]:
    """Put ``records`` (newest first) in front of ``history``; time stamps are made unique, the list stays bounded.

    Time stamps are cut to the millisecond, which is how they are stored and compared by clients.
    """
    taken = {record.timestamp for record in history}
    fresh: list[InteractionFailure] = []
    for record in reversed(records):
        timestamp = record.timestamp.replace(microsecond=record.timestamp.microsecond // 1000 * 1000)
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
    kept = [record for record in records if record.code != _TRUNCATED]
    while len(kept) > MAX_FAILURE_RECORDS - 1:
        oldest = next((place for place in reversed(range(len(kept))) if not kept[place].is_final), len(kept) - 1)
        del kept[oldest]
    taken = {record.timestamp for record in kept}
    timestamp = kept[-1].timestamp - _MILLISECOND
    while timestamp in taken:
        timestamp -= _MILLISECOND
    mark = InteractionFailure(
        timestamp=timestamp, status=kept[-1].status, reason="Older records were dropped", code=_TRUNCATED
    )
    return (*kept, mark)
