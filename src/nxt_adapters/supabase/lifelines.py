"""Connections by their use (PAY 18)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_domain.grids.lifeline import LifelineGrid

_GRIDS: Final = text(
    """
    select id, lifeline_connection_kwh_threshold as kwh_threshold, lifeline_connection_days_threshold as days
    from public.grids where deleted_at is null and is_hidden_from_reporting = false order by id
    """
)
_CONNECTIONS: Final = text(
    """
    select c.id from public.connections c
    join public.customers u on u.id = c.customer_id and u.is_hidden_from_reporting = false
    join public.accounts a on a.id = u.account_id and a.deleted_at is null
    where u.grid_id = :grid_id and c.deleted_at is null
    """
)
# Only what differs is written: most connections stay what they were, and each update is news to the change feed.
_CLASSIFY: Final = text(
    """
    update public.connections c set is_lifeline = v.is_lifeline
    from unnest(cast(:ids as integer[]), cast(:verdicts as boolean[])) as v (id, is_lifeline)
    where c.id = v.id and c.is_lifeline is distinct from v.is_lifeline
    """
)


class PostgresLifelines:
    """Implements ``Lifelines``.

    Args:
        connection: Carries the caller's transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def grids(self) -> Sequence[LifelineGrid]:
        """See ``Lifelines.grids``."""
        rows = await self._connection.execute(_GRIDS)
        return [LifelineGrid(id=row.id, kwh_threshold=row.kwh_threshold, days=row.days) for row in rows]

    async def connections(self, grid_id: int) -> Collection[int]:
        """See ``Lifelines.connections``."""
        return list((await self._connection.execute(_CONNECTIONS, {"grid_id": grid_id})).scalars())

    async def classify(self, verdicts: Mapping[int, bool]) -> int:
        """See ``Lifelines.classify``."""
        values = {"ids": list(verdicts), "verdicts": list(verdicts.values())}
        return (await self._connection.execute(_CLASSIFY, values)).rowcount
