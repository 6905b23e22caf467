"""Events that came before the remote id they speak of was known, and whose message they are [DM-59].

Whoever stores one half looks for the other afterwards: the one that keeps an event looks for its message, the one that
learns a remote id looks for events. Each looks once more after its own commit, because neither sees what the other has
not committed yet; so the later of two commits always finds the earlier one's part.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

from nxt_domain.messaging.machine import Unmoved, event_applied
from nxt_domain.messaging.model import DeviceEvent, DeviceMessage
from nxt_domain.messaging.ports import MessageStore
from nxt_domain.messaging.use_cases.changes import Changes, Workshop

_log = logging.getLogger(__name__)

Owners = Mapping[str, Sequence[str]]
"""Ids of messages by remote id."""


def owners_of(remote_ids: Iterable[str], messages: Sequence[DeviceMessage]) -> Owners:
    """Tell which messages know which remote ids; one that nobody knows has no owners.

    Several messages share an id when equal frames were adopted from one queue [R20]: one answer serves them all.
    """
    owners: dict[str, list[str]] = {remote_id: [] for remote_id in remote_ids}
    for message in messages:
        for remote_id in {message.delivery_queue_id, *message.past_delivery_queue_ids}:
            if remote_id in owners:
                owners[remote_id].append(message.id)
    return owners


def apply_event(changes: Changes, event: DeviceEvent, owners: Owners) -> None:
    """Apply an event to the messages that it speaks of."""
    remote_id = event.delivery_queue_id or ""
    for message_id in owners.get(remote_id, ()):
        step = changes.apply(message_id, partial(event_applied, event=event, remote_id=remote_id))
        if isinstance(step, Unmoved):
            message = changes.current(message_id)
            names = {"message_id": message_id} if message is None else message.names
            _log.info("an event %s has no effect: %s", event.delivery_status, step.reason, extra=names)


async def apply_parked(store: MessageStore, changes: Changes) -> None:
    """Apply kept events of remote ids that this transaction learned, in order."""
    for plugin_id, owners in changes.learned_ids().items():
        for event in await store.early.take_parked(plugin_id, list(owners)):
            apply_event(changes, event, owners)


async def look_again(workshop: Workshop, plugin_id: str, remote_ids: Collection[str]) -> None:
    """Bring kept events and their messages together, after either was stored.

    Raises:
        Unavailable: The store can't be reached; what is kept stays kept.
    """
    async with workshop.begin() as store:
        kept = await store.early.parked_ids(plugin_id, remote_ids)
        changes = await _apply_kept(workshop, store, plugin_id, kept) if kept else None
        await store.commit()
    if changes is not None:
        changes.committed()


async def _apply_kept(workshop: Workshop, store: MessageStore, plugin_id: str, remote_ids: Collection[str]) -> Changes:
    batch = await store.rows.lock_by_remote_ids(plugin_id, remote_ids)
    owners = owners_of(remote_ids, batch.messages)
    changes = Changes(workshop, batch.now, batch.messages)
    known = [remote_id for remote_id, message_ids in owners.items() if message_ids]
    for event in await store.early.take_parked(plugin_id, known):
        apply_event(changes, event, owners)
    await changes.write(store)
    return changes
