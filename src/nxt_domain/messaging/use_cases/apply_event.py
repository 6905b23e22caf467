"""Taking in what networks and vendors report [DM 7, 10.5]."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

from nxt_domain.messaging.events import unsolicited_event
from nxt_domain.messaging.model import DeviceEvent, EventHalf
from nxt_domain.messaging.ports import MessageStore
from nxt_domain.messaging.use_cases.changes import Changes, Workshop
from nxt_domain.messaging.use_cases.parked import apply_event, look_again, owners_of
from nxt_domain.shared.group_commit import GroupCommit

_log = logging.getLogger(__name__)

News: TypeAlias = DeviceEvent | EventHalf


class ApplyDeviceEvent:
    """Applies a vendor's news and returns when its effect is durable; any process may do this [DM-3].

    News that arrives together is written together.

    Args:
        workshop: The store and the rules.
    """

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._commits: dict[str, GroupCommit[News]] = {}

    async def __call__(self, plugin_id: str, news: News) -> None:
        """Apply one piece of news.

        An answer finishes its message, a refusal ends its attempt, an acknowledgement moves it on; news of an unknown
        remote id is kept for a minute, half an answer until the other half comes; all else changes nothing.

        Args:
            plugin_id: Who read it.
            news: An event, or half of one.

        Raises:
            Unavailable: The store can't be reached; nothing was stored.
        """
        commits = self._commits.get(plugin_id)
        if commits is None:
            commits = self._commits[plugin_id] = GroupCommit(partial(self.apply_all, plugin_id))
        await commits.submit(news)

    async def apply_all(self, plugin_id: str, news: Sequence[News]) -> None:
        """Apply news of one plug-in, in order, in one transaction.

        Raises:
            Unavailable: The store can't be reached; nothing was stored.
        """
        halves = [item for item in news if isinstance(item, EventHalf)]
        events = [item for item in news if isinstance(item, DeviceEvent)]
        async with self._workshop.begin() as store:
            if halves:
                events.extend(await store.early.pair(halves))
            changes, unknown = await self._apply(store, plugin_id, events)
            if unknown:
                await store.early.park(plugin_id, unknown)
            await changes.write(store)
            await store.commit()
        changes.committed()
        if unknown:
            # A send may have recorded its id between our look and our parking.
            await look_again(self._workshop, plugin_id, {event.delivery_queue_id or "" for event in unknown})

    async def _apply(
        self, store: MessageStore, plugin_id: str, events: Sequence[DeviceEvent]
    ) -> tuple[Changes, Sequence[DeviceEvent]]:
        own_accord = [event for event in events if event.unsolicited]
        about_messages = [event for event in events if not event.unsolicited and _names_its_message(event)]
        remote_ids = {event.delivery_queue_id or "" for event in about_messages}
        batch = await store.rows.lock_by_remote_ids(plugin_id, remote_ids)
        changes = Changes(self._workshop, batch.now, batch.messages)
        for event in own_accord:
            told = unsolicited_event(event, plugin_id=plugin_id, event_id=self._workshop.new_id(), now=batch.now)
            changes.announce(told)
        owners = owners_of(remote_ids, batch.messages)
        for event in about_messages:
            apply_event(changes, event, owners)
        return changes, [event for event in about_messages if not owners[event.delivery_queue_id or ""]]


def _names_its_message(event: DeviceEvent) -> bool:
    if event.delivery_queue_id:
        return True
    _log.warning("an event %s without delivery queue id is dropped", event.delivery_status)
    return False
