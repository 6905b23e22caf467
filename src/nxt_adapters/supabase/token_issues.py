"""The record of every token made [REL-164, R22]."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.tables import meters, sts_tokens
from nxt_domain.tokens.model import TokenClass, TokenReservation
from nxt_domain.tokens.rules import minute_of


class PostgresTokenIssues:
    """``TokenIssues`` on the relational plane.

    Args:
        connection: The open transaction's.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def taken_minutes(self, meter_ids: Collection[int], since: datetime) -> Mapping[int, Collection[datetime]]:
        """See ``TokenIssues.taken_minutes``."""
        taken: dict[int, set[datetime]] = defaultdict(set)
        if meter_ids:
            query = select(sts_tokens.c.meter_id, sts_tokens.c.issue_minute).where(
                sts_tokens.c.meter_id.in_(sorted(meter_ids)), sts_tokens.c.issue_minute >= since
            )
            for row in await self._connection.execute(query):
                taken[row.meter_id].add(row.issue_minute)
        return taken

    async def reserve(self, reservations: Sequence[TokenReservation]) -> None:
        """See ``TokenIssues.reserve``."""
        if not reservations:
            return
        await self._connection.execute(insert(sts_tokens).values([_row(each) for each in reservations]))
        newest: dict[int, datetime] = {}
        for each in reservations:
            newest[each.meter_id] = max(each.issued_at, newest.get(each.meter_id, each.issued_at))
        await self._connection.execute(
            update(meters)
            .where(meters.c.id == bindparam("key"))
            .values(last_sts_token_issued_at=func.greatest(meters.c.last_sts_token_issued_at, bindparam("issued_at"))),
            [{"key": meter_id, "issued_at": issued_at} for meter_id, issued_at in sorted(newest.items())],
        )

    async def of_interactions(self, interaction_ids: Collection[int]) -> Mapping[int, TokenReservation]:
        """See ``TokenIssues.of_interactions``."""
        query = select(sts_tokens).where(sts_tokens.c.interaction_id.in_(sorted(interaction_ids)))
        return {
            row.interaction_id: TokenReservation(
                meter_id=row.meter_id,
                interaction_id=row.interaction_id,
                token_class=TokenClass(row.token_class),
                issued_at=row.issue_time,
                nonce=row.nonce or 0,
                value=None if row.value is None else Decimal(row.value),
                token=row.token,
            )
            for row in await self._connection.execute(query)
        }

    async def complete(self, interaction_id: int, token: str) -> None:
        """See ``TokenIssues.complete``."""
        await self._connection.execute(
            update(sts_tokens)
            .where(sts_tokens.c.interaction_id == interaction_id, sts_tokens.c.token.is_(None))
            .values(token=token)
        )


def _row(reservation: TokenReservation) -> dict[str, object]:
    return {
        "meter_id": reservation.meter_id,
        "interaction_id": reservation.interaction_id,
        "issue_time": reservation.issued_at,
        "issue_minute": minute_of(reservation.issued_at),
        "token_class": reservation.token_class.value,
        "value": reservation.value,
        "nonce": reservation.nonce,
        "token": reservation.token,
        "source": "OWN",
    }
