"""What the chat bot is told of top-ups [PAY-119]."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_domain.orders.bot_notices import TopUpNotice

_NOTICE: Final = text(
    """
    select i.id as interaction_id, g.name as grid_name, a.full_name as customer_name,
        nullif(a.phone, '') as customer_phone, m.external_reference as meter_external_reference, i.token,
        i.transactive_kwh as energy_kwh, o.amount, g.telegram_response_path_token as response_token
    from public.meter_interactions i
    join public.orders o on o.id = i.order_id
    join public.meters m on m.id = i.meter_id
    join public.grids g on g.id = m.rls_grid_id and g.telegram_response_path_token <> ''
    left join public.connections c on c.id = m.connection_id
    left join public.customers u on u.id = c.customer_id
    left join public.accounts a on a.id = u.account_id
    where i.id = :interaction_id and i.token is not null
    """
)


class PostgresTopUpNotices:
    """Implements ``TopUpNotices``.

    Args:
        connection: Carries the caller's transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def of(self, interaction_id: int) -> TopUpNotice | None:
        """See ``TopUpNotices.of``."""
        rows = await self._connection.execute(_NOTICE, {"interaction_id": interaction_id})
        row = rows.mappings().one_or_none()
        return None if row is None else TopUpNotice(**row)
