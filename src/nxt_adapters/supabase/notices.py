"""Text messages about orders, as rows of ``notifications`` that the notifier sends [R19]."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.tables import notifications
from nxt_domain.orders.notices import SmsNotice

_SMS_CARRIER = "AFRICASTALKING"


class PostgresNotices:
    """Implements ``Notices``.

    Args:
        connection: Carries the caller's transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, notices: Sequence[SmsNotice]) -> None:
        """Store notices whose key is new, in one statement."""
        if not notices:
            return
        rows = [
            {
                "carrier_external_system": _SMS_CARRIER,
                "notification_type": notice.type.value,
                "notification_status": "PENDING",
                "phone": notice.phone,
                "message": notice.message,
                "account_id": notice.account_id,
                "grid_id": notice.grid_id,
                "organization_id": notice.organization_id,
                "dedupe_key": notice.dedupe_key,
            }
            for notice in notices
        ]
        statement = insert(notifications).values(rows)
        known = statement.on_conflict_do_nothing(
            index_elements=[notifications.c.dedupe_key], index_where=notifications.c.dedupe_key.is_not(None)
        )
        await self._connection.execute(known)
