"""Phone sessions, as far as purchases read them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.orders import PostgresOrders
from nxt_adapters.supabase.session import TransactionSession
from nxt_domain.orders.notices import Contact
from nxt_domain.orders.ussd import UssdSession

_SESSION: Final = text(
    """
    select s.id, s.phone, s.account_id, s.amount, bank.external_id as bank_code, meter.external_reference
    from public.ussd_sessions s
    left join public.banks bank on bank.id = s.bank_id
    left join public.meters meter on meter.id = s.meter_id
    where s.id = :session_id
    """
)


class PostgresUssdSessions:
    """Implements ``UssdSessions``.

    Args:
        connection: Carries the caller's transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, session_id: int) -> UssdSession | None:
        """See ``UssdSessions.find``."""
        row = (await self._connection.execute(_SESSION, {"session_id": session_id})).one_or_none()
        if row is None:
            return None
        number = row.external_reference
        orders = PostgresOrders(TransactionSession(self._connection))
        meter = None if number is None else await orders.meter_for_sale(number)
        return UssdSession(
            id=row.id,
            caller=Contact(account_id=row.account_id, phone=row.phone),
            amount=row.amount,
            meter=meter,
            bank_code=row.bank_code,
        )
