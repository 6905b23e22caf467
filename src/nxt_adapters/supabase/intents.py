"""Intents: from the inbox that triggers fill to the shadows of meters [R16, REL-159]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.engine import dump_json
from nxt_domain.meters.intents import Intent, ShadowAttribute

_TAKE: Final = text(
    """
    with oldest as (select id from internal.intent_inbox order by id limit :limit for update skip locked)
    delete from internal.intent_inbox i using oldest where i.id = oldest.id
    returning i.id, i.created_at, i.meter_id, i.attribute, i.desired, i.account_id
    """
)

# The columns of `meters` hold what was written already, and perhaps something newer that waits in the inbox: only their
# times are set here.
_REGISTER: Final = text(
    """
    with written as (
        select * from jsonb_to_recordset(cast(:intents as jsonb)) as i(
            ordinal int, meter_id int, attribute text, desired int, at timestamptz, author_id int)
    ),
    last as (
        select distinct on (meter_id, attribute) *, count(*) over (partition by meter_id, attribute) as registrations
        from written order by meter_id, attribute, ordinal desc
    ),
    shadows as (
        insert into meter_shadows as s (
            meter_id, attribute, desired, desired_rev, desired_at, desired_origin, desired_author_id, last_event_at)
        select meter_id, cast(attribute as shadow_attribute_enum), desired, registrations, at, 'USER', author_id, now()
        from last order by meter_id, attribute
        on conflict (meter_id, attribute) do update set
            desired = excluded.desired, desired_rev = s.desired_rev + excluded.desired_rev,
            desired_at = excluded.desired_at, desired_origin = excluded.desired_origin,
            desired_author_id = excluded.desired_author_id, last_event_at = excluded.last_event_at,
            attempts = 0, cool_off_until = null, drift_since = null,
            state = cast(case when s.reported = excluded.desired then 'IN_SYNC' else 'UNKNOWN' end as shadow_state_enum)
    ),
    history as (
        insert into meter_state_events (meter_id, attribute, event, actor, account_id, grid_id, data)
        select w.meter_id, w.attribute, 'DESIRED_SET', 'USER', w.author_id, m.rls_grid_id,
            jsonb_build_object('desired', w.desired, 'desired_at', w.at)
        from written w join meters m on m.id = w.meter_id order by w.ordinal
    ),
    times as (
        select meter_id, max(at) filter (where attribute = 'relay') as relay_at,
            max(at) filter (where attribute = 'power_limit') as limit_at
        from last group by meter_id
    )
    update meters m set
        should_be_on_updated_at = coalesce(times.relay_at, m.should_be_on_updated_at),
        power_limit_should_be_updated_at = coalesce(times.limit_at, m.power_limit_should_be_updated_at)
    from times where m.id = times.meter_id
    """
)


class PostgresIntents:
    """``Intents`` on the relational plane.

    Args:
        connection: The open transaction's.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def take(self, limit: int) -> Sequence[Intent]:
        """See ``Intents.take``."""
        rows = (await self._connection.execute(_TAKE, {"limit": limit})).all()
        return [
            Intent(
                meter_id=row.meter_id,
                attribute=ShadowAttribute(row.attribute),
                desired=row.desired,
                at=row.created_at,
                author_id=row.account_id,
            )
            for row in sorted(rows, key=lambda row: row.id)
        ]

    async def register(self, intents: Sequence[Intent]) -> None:
        """See ``Intents.register``."""
        if intents:
            rows = [
                {
                    "ordinal": ordinal,
                    "meter_id": intent.meter_id,
                    "attribute": intent.attribute.value,
                    "desired": intent.desired,
                    "at": intent.at.isoformat(),
                    "author_id": intent.author_id,
                }
                for ordinal, intent in enumerate(intents)
            ]
            await self._connection.execute(_REGISTER, {"intents": dump_json(rows)})
