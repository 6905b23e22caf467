"""Claims on ``notifications`` and their outcomes [AUTO-81 … AUTO-85]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_domain.notifications.queue import WaitingSms

_CLAIM = text(
    """
    with due as (
        select id from notifications
        where notification_status = 'PENDING' and carrier_external_system = 'AFRICASTALKING'
            and (claimed_until is null or claimed_until <= clock_timestamp())
        order by id limit :limit for update skip locked
    )
    update notifications n set claimed_until = clock_timestamp() + :lease
    from due where n.id = due.id
    returning n.id, n.phone, n.message as text, n.attempt_count
    """
)
_BEGIN = text(
    """
    update notifications
    set notification_status = 'PROCESSING', claimed_until = clock_timestamp() + interval '10 minutes'
    where id = :id and notification_status = 'PENDING' returning id
    """
)
_ACCEPTED = text(
    """
    update notifications set notification_status = 'RECEIVED_BY_API', external_reference = :reference,
        claimed_until = null, last_error = null
    where id = :id
    """
)
_FAILED = text(
    """
    update notifications set notification_status = 'FAILED', last_error = :error, claimed_until = null where id = :id
    """
)
_POSTPONED = text(
    """
    update notifications set notification_status = 'PENDING', last_error = :error,
        attempt_count = attempt_count + 1, claimed_until = clock_timestamp() + :delay
    where id = :id
    """
)
_INTERRUPTED = text(
    """
    update notifications set notification_status = 'FAILED', claimed_until = null,
        last_error = 'INTERRUPTED: its sender ended while it was being sent'
    where notification_status = 'PROCESSING' and carrier_external_system = 'AFRICASTALKING'
        and claimed_until <= clock_timestamp()
    """
)


class PostgresNotificationQueue:
    """``NotificationQueue`` on the relational plane.

    Args:
        engine: The process's pool.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def claim_sms(self, *, limit: int, lease: timedelta) -> Sequence[WaitingSms]:
        """See ``NotificationQueue.claim_sms``."""
        async with self._engine.begin() as connection:
            rows = (await connection.execute(_CLAIM, {"limit": limit, "lease": lease})).mappings()
            return sorted((WaitingSms(**row) for row in rows), key=lambda waiting: waiting.id)

    async def begin(self, notification_id: int) -> bool:
        """See ``NotificationQueue.begin``."""
        async with self._engine.begin() as connection:
            return (await connection.execute(_BEGIN, {"id": notification_id})).first() is not None

    async def accepted(self, notification_id: int, reference: str) -> None:
        """See ``NotificationQueue.accepted``."""
        await self._run(_ACCEPTED, id=notification_id, reference=reference)

    async def failed(self, notification_id: int, error: str) -> None:
        """See ``NotificationQueue.failed``."""
        await self._run(_FAILED, id=notification_id, error=error)

    async def postponed(self, notification_id: int, error: str, *, delay: timedelta) -> None:
        """See ``NotificationQueue.postponed``."""
        await self._run(_POSTPONED, id=notification_id, error=error, delay=delay)

    async def fail_interrupted(self) -> int:
        """See ``NotificationQueue.fail_interrupted``."""
        return await self._run(_INTERRUPTED)

    async def _run(self, statement: TextClause, **values: object) -> int:
        async with self._engine.begin() as connection:
            return (await connection.execute(statement, values)).rowcount
