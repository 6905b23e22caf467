"""The record of every token made [REL-164, R22]."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from nxt_adapters.supabase.engine import dump_json
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.written import Read, Written
from nxt_domain.tokens.model import TokenClass, TokenReservation
from nxt_domain.tokens.rules import minute_of

_TAKEN: Final = Read(
    """
    select meter_id, issue_minute from internal.sts_tokens
    where meter_id = any(:meter_ids) and issue_minute >= date_trunc('minute', cast(:since as timestamptz))
    """
)

# The meters stand there a second time for the server's plan: what it can't count it takes for many, and reads them all.
_RESERVE: Final = Written(
    """
    with reserved as (
        insert into internal.sts_tokens
            (meter_id, interaction_id, issue_time, issue_minute, token_class, value, nonce, token, source)
        select meter_id, interaction_id, issue_time, issue_minute, token_class, value, nonce, token, 'OWN'
        from jsonb_to_recordset(cast(:rows as jsonb)) as new (
            meter_id int, interaction_id bigint, issue_time timestamptz, issue_minute timestamptz, token_class text,
            value numeric, nonce smallint, token text)
        returning meter_id, issue_time
    )
    update meters m set last_sts_token_issued_at = greatest(m.last_sts_token_issued_at, newest.at)
    from (select meter_id, max(issue_time) as at from reserved group by meter_id) newest
    where m.id = newest.meter_id and m.id = any(:meter_ids)
    """
)

_OF_INTERACTIONS: Final = Read(
    """
    select meter_id, interaction_id, token_class, issue_time, nonce, value, token from internal.sts_tokens
    where interaction_id = any(:ids)
    """
)

_COMPLETE: Final = Written(
    "update internal.sts_tokens set token = :token where interaction_id = :interaction_id and token is null"
)


class PostgresTokenIssues:
    """``TokenIssues`` on the relational plane.

    Args:
        session: Of the unit of work.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def taken_minutes(self, meter_ids: Collection[int], since: datetime) -> Mapping[int, Collection[datetime]]:
        """See ``TokenIssues.taken_minutes``."""
        taken: dict[int, set[datetime]] = defaultdict(set)
        if meter_ids:
            for row in await self._session.objects(_TAKEN, {"meter_ids": list(meter_ids), "since": since}):
                taken[row.meter_id].add(row.issue_minute)
        return taken

    async def reserve(self, reservations: Sequence[TokenReservation]) -> None:
        """See ``TokenIssues.reserve``."""
        if reservations:
            rows, meter_ids = [_row(each) for each in reservations], {each.meter_id for each in reservations}
            await self._session.run(_RESERVE, {"rows": dump_json(rows), "meter_ids": list(meter_ids)})

    async def of_interactions(self, interaction_ids: Collection[int]) -> Mapping[int, TokenReservation]:
        """See ``TokenIssues.of_interactions``."""
        if not interaction_ids:
            return {}
        return {
            row.interaction_id: TokenReservation(
                meter_id=row.meter_id,
                interaction_id=row.interaction_id,
                token_class=TokenClass(row.token_class),
                issued_at=row.issue_time,
                nonce=row.nonce or 0,
                value=row.value,
                token=row.token,
            )
            for row in await self._session.objects(_OF_INTERACTIONS, {"ids": list(interaction_ids)})
        }

    async def complete(self, interaction_id: int, token: str) -> None:
        """See ``TokenIssues.complete``."""
        await self._session.run(_COMPLETE, {"interaction_id": interaction_id, "token": token})


def _row(reservation: TokenReservation) -> dict[str, object]:
    return {
        "meter_id": reservation.meter_id,
        "interaction_id": reservation.interaction_id,
        "issue_time": reservation.issued_at,
        "issue_minute": minute_of(reservation.issued_at),
        "token_class": reservation.token_class,
        "value": reservation.value,
        "nonce": reservation.nonce,
        "token": reservation.token,
    }
