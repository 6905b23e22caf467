"""Signs of life for what this process works on [DM-17, DM-44]."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

from nxt_domain.messaging.ports import Lease
from nxt_domain.messaging.stages import Stage
from nxt_domain.messaging.use_cases.changes import Workshop

_log = logging.getLogger(__name__)
_RENEWALS_PER_WAIT = 3


class LeaseKeeper:
    """Keeps the leases of messages whose sends, questions and polls are under way, with one statement for all.

    Args:
        workshop: The store and the plug-ins' waits.
        lease: This process's name and patience.
    """

    def __init__(self, workshop: Workshop, lease: Lease) -> None:
        self.lease = lease
        self._workshop = workshop
        self._held: Counter[str] = Counter()
        self._doubtful: set[str] = set()

    @property
    def interval(self) -> timedelta:
        """How often ``renew`` must be called: a third of the shortest wait [DM-44]."""
        waits = [lane.entry_wait(Stage.NS) for lane in self._workshop.lanes.values()]
        return min([self.lease.duration, *waits]) / _RENEWALS_PER_WAIT

    def hold(self, message_ids: Iterable[str]) -> None:
        """Begin to keep leases."""
        self._held.update(message_ids)

    def drop(self, message_ids: Iterable[str]) -> None:
        """Stop keeping them, since their work is done."""
        for message_id in message_ids:
            self._held[message_id] -= 1
            if self._held[message_id] <= 0:
                del self._held[message_id]

    async def renew(self) -> None:
        """Prolong everything that is held.

        Raises:
            Unavailable: The store can't be reached; leases run on meanwhile.
        """
        held = set(self._held)
        if not held:
            return
        ns_waits = {plugin_id: lane.entry_wait(Stage.NS) for plugin_id, lane in self._workshop.lanes.items()}
        async with self._workshop.begin() as store:
            kept = await store.claims.renew(sorted(held), self.lease, ns_waits)
            await store.commit()
        missing = held.difference(kept) & set(self._held)
        # An outcome that was just stored has ended its lease, too; its worker will have noticed by the next time.
        lost, self._doubtful = missing & self._doubtful, missing - self._doubtful
        if lost:
            _log.warning("%d leases lapsed while their messages were being worked on", len(lost))

    async def release(self, message_ids: Iterable[str]) -> None:
        """Give back what was claimed and not begun [DM-173]."""
        ids = sorted(message_ids)
        self.drop(ids)
        if ids:
            async with self._workshop.begin() as store:
                await store.claims.release(ids, self.lease.owner)
                await store.commit()
