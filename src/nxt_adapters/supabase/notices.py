"""Text messages about orders, as rows of ``notifications`` that the notifier sends [R19]."""

from __future__ import annotations

from collections.abc import Sequence

from nxt_adapters.supabase.engine import dump_json
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.written import Written
from nxt_domain.orders.notices import SmsNotice

# One parameter for any number of rows: to compile hundreds of rows of values costs more than to store them.
_ADD = Written(
    """
    insert into public.notifications (
        carrier_external_system, notification_type, notification_status, phone, message, account_id, grid_id,
        organization_id, dedupe_key)
    select 'AFRICASTALKING', cast(s.type as notification_type_enum), 'PENDING', s.phone, s.message, s.account_id,
        s.grid_id, s.organization_id, s.dedupe_key
    from jsonb_to_recordset(cast(:rows as jsonb)) as s (
        type text, phone text, message text, account_id int, grid_id int, organization_id int, dedupe_key text)
    on conflict (dedupe_key) where dedupe_key is not null do nothing
    """
)


class PostgresNotices:
    """Implements ``Notices``.

    Args:
        session: Of the unit of work.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def add(self, notices: Sequence[SmsNotice]) -> None:
        """Store notices whose key is new, in one statement."""
        if notices:
            await self._session.run(_ADD, {"rows": dump_json(list(notices))})
