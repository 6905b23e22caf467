"""Commands on their way to stand-alone messaging: tasks of the outbox, seen from the adopter's transaction [R56]."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.written import Read, Written
from nxt_domain.messaging.events import message_stream
from nxt_domain.messaging.remote import DEVICE_MESSAGE, WaitingCommand

# What is open in a stream is asked for in the words of the index on streams.
_LOCK = Written(
    """
    select id, dedupe_key, stream_key, payload -> 'message' as message,
        coalesce(lease_until > statement_timestamp(), false) as is_held
    from internal.outbox_tasks
    where stream_key = any(:streams) and coalesce(done_at, dropped_at) is null and kind = :kind
    order by id for update
    """
)
_WITHDRAW = Written(
    """
    update internal.outbox_tasks set dropped_at = clock_timestamp(), last_error = 'withdrawn'
    where dedupe_key = any(:keys) and coalesce(done_at, dropped_at) is null
    """
)
_OPEN = Read(
    """
    select distinct stream_key from internal.outbox_tasks
    where stream_key = any(:streams) and coalesce(done_at, dropped_at) is null
    """
)


class PostgresWaitingCommands:
    """``WaitingCommands`` on the relational plane.

    Args:
        session: Of the unit of work.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def lock(self, correlation_ids: Sequence[str]) -> Sequence[WaitingCommand]:
        """See ``WaitingCommands.lock``."""
        of_stream = {message_stream(each): each for each in correlation_ids}
        rows = await self._session.objects(_LOCK, {"streams": list(of_stream), "kind": DEVICE_MESSAGE})
        return [
            WaitingCommand(
                key=row.dedupe_key,
                correlation_id=of_stream[row.stream_key],
                message=row.message,
                is_held=row.is_held,
            )
            for row in rows
        ]

    async def withdraw(self, keys: Sequence[str]) -> None:
        """See ``WaitingCommands.withdraw``."""
        if keys:
            await self._session.run(_WITHDRAW, {"keys": list(keys)})

    async def with_open_tasks(self, correlation_ids: Sequence[str]) -> Collection[str]:
        """See ``WaitingCommands.with_open_tasks``."""
        of_stream = {message_stream(each): each for each in correlation_ids}
        rows = await self._session.objects(_OPEN, {"streams": list(of_stream)})
        return {of_stream[row.stream_key] for row in rows}
