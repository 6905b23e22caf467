"""Decisions about suspended money."""

from __future__ import annotations

from typing import Final

import attrs
from sqlalchemy import RowMapping, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.tables import suspense_resolutions
from nxt_domain.orders.suspense import Resolution, ResolutionState, SuspenseAction

_COLUMNS: Final = [suspense_resolutions.c[field.name] for field in attrs.fields(Resolution)]
# The row of the entry is the lock: of several decisions at the same time, the first one stands.
_DECIDE: Final = text(
    """
    insert into internal.suspense_resolutions as known (
        entry_id, action, state, reason, author_account_id, order_id, gateway_refund_id, last_error)
    values (
        :entry_id, :action, :state, :reason, :author_account_id, :order_id, :gateway_refund_id, :last_error)
    on conflict (entry_id) do update set
        action = excluded.action, state = excluded.state, reason = excluded.reason,
        author_account_id = excluded.author_account_id, order_id = excluded.order_id,
        gateway_refund_id = excluded.gateway_refund_id, last_error = excluded.last_error,
        attempt = known.attempt + 1
    where known.state = 'FAILED' or exists (
        select from public.orders o where o.id = known.order_id and o.order_status = 'FAILED')
    returning attempt
    """
)


class PostgresSuspenseResolutions:
    """Implements ``SuspenseResolutions``.

    Args:
        connection: Carries the caller's transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def decide(self, decided: Resolution) -> int | None:
        """See ``SuspenseResolutions.decide``."""
        attempt: int | None = (await self._connection.execute(_DECIDE, attrs.asdict(decided))).scalar_one_or_none()
        return attempt

    async def find(self, entry_id: int) -> Resolution | None:
        """See ``SuspenseResolutions.find``."""
        query = select(*_COLUMNS).where(suspense_resolutions.c.entry_id == entry_id)
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else _resolution(row)

    async def save(self, decided: Resolution) -> None:
        """See ``SuspenseResolutions.save``."""
        statement = update(suspense_resolutions).where(suspense_resolutions.c.entry_id == decided.entry_id)
        await self._connection.execute(statement.values(**attrs.asdict(decided)))


def _resolution(row: RowMapping) -> Resolution:
    return Resolution(**{**row, "action": SuspenseAction(row["action"]), "state": ResolutionState(row["state"])})
