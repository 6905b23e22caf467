"""Clearing what nobody else looks at: too old messages in ready queues, halves and events nobody claimed."""

from __future__ import annotations

import logging

from nxt_domain.messaging.machine import expired
from nxt_domain.messaging.use_cases.changes import Changes, Workshop

_log = logging.getLogger(__name__)


class Sweep:
    """Runs every 60 s [DM-40].

    Args:
        workshop: The store and the rules.
        batch: Rows in one transaction.
        max_batches: Transactions in one run.
    """

    def __init__(self, workshop: Workshop, *, batch: int = 500, max_batches: int = 100) -> None:
        self._workshop = workshop
        self._batch = batch
        self._max_batches = max_batches

    async def __call__(self) -> int:
        """Sweep once.

        Returns:
            How many messages were given up.

        Raises:
            Unavailable: The store can't be reached.
        """
        given_up = 0
        for _ in range(self._max_batches):
            size = await self._expire_batch()
            given_up += size
            if size < self._batch:
                break
        await self._prune()
        return given_up

    async def _expire_batch(self) -> int:
        async with self._workshop.begin() as store:
            batch = await store.claims.expired(limit=self._batch)
            changes = Changes(self._workshop, batch.now, batch.messages)
            for message in batch.messages:
                changes.take(message, expired(message, batch.now))
            await changes.write(store)
            await store.commit()
        changes.committed()
        return len(batch.messages)

    async def _prune(self) -> None:
        async with self._workshop.begin() as store:
            orphans = await store.early.prune()
            await store.commit()
        if orphans:
            _log.warning("%d events came for messages nobody knows", orphans)
            self._workshop.metrics.events_orphaned(orphans)
