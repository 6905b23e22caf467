"""Messages as they are kept, live and archived; see ``MessageJournal``."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.messages import MemoryRow
from nxt_domain.messaging.journal import (
    MessageFilter,
    MessagePage,
    MessageRecord,
    MessageState,
    MessageWindow,
    Passage,
    page_of,
)
from nxt_domain.messaging.machine import Finished
from nxt_domain.messaging.model import DeviceMessage
from nxt_domain.shared.ids import ulid_floor


class MemoryMessageJournal:
    """``MessageJournal`` over the tables of the queue in memory.

    Args:
        database: Keeps them.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._live: dict[str, MemoryRow] = database.table("device_messages")
        self._archive: dict[str, Finished] = database.table("message_archive")
        self._passages: dict[str, tuple[Passage, ...]] = database.table("message_passages")

    async def page(self, wanted: MessageFilter, window: MessageWindow) -> MessagePage:
        """See ``MessageJournal.page``."""
        found = [record for record in reversed(self._records()) if _is_wanted(record, wanted)]
        older = [record for record in found if window.after is None or record.id < window.after]
        return page_of(older[: window.limit + 1], window)

    async def find(self, ids: Collection[str]) -> Sequence[MessageRecord]:
        """See ``MessageJournal.find``."""
        return [record for record in self._records() if record.id in ids or record.correlation_id in ids]

    def _records(self) -> Sequence[MessageRecord]:
        live = [self._record(row.message, None) for row in self._live.values()]
        ended = [self._record(end.message, end) for end in self._archive.values()]
        return sorted((*live, *ended), key=lambda record: record.id)

    def _record(self, message: DeviceMessage, end: Finished | None) -> MessageRecord:
        passages = self._passages[message.id]
        response = None if end is None else end.response
        return MessageRecord(
            id=message.id,
            state=passages[-1].status,
            command_type=message.command_type.value,
            plugin_id=message.plugin_id,
            priority=message.priority,
            meter=message.device.external_reference,
            ready_queue=message.ready_queue,
            phase=message.phase,
            network_id=message.network_id,
            correlation_id=message.correlation_id,
            delivery_queue_id=message.delivery_queue_id,
            past_delivery_queue_ids=message.past_delivery_queue_ids,
            retry_count=message.retry_count,
            failures=message.failure_history,
            passages=passages,
            enqueued_at=message.enqueued_at,
            expires_at=message.expires_at if end is None else None,
            due_at=message.due_at if end is None else None,
            lease_owner=message.lease_owner if end is None else None,
            lease_until=message.lease_until if end is None else None,
            finished_at=None if end is None else passages[-1].at,
            execution=None if response is None else response.status.value,
        )


def _is_wanted(record: MessageRecord, wanted: MessageFilter) -> bool:
    asked: Sequence[tuple[object, MessageState | str | int | None]] = (
        (wanted.state, record.state),
        (wanted.plugin_id, record.plugin_id),
        (wanted.network_id, record.network_id),
        (wanted.meter, record.meter),
    )
    is_young = wanted.since is None or record.id >= ulid_floor(wanted.since)
    return is_young and all(value is None or value == given for value, given in asked)
