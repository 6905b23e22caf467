"""Live grids that are not hidden from reports."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_ZONES: Final = text(
    "select distinct timezone from public.grids"
    " where deleted_at is null and is_hidden_from_reporting = false order by timezone"
)


class PostgresReportedGrids:
    """Implements ``ReportedGrids``.

    Args:
        connection: Carries the caller's transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def timezones(self) -> Collection[str]:
        """See ``ReportedGrids.timezones``."""
        return list((await self._connection.execute(_ZONES)).scalars())
