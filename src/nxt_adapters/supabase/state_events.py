"""The append-only history of meters [MET-28, REL-160]."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.engine import dump_json
from nxt_domain.meters.state_events import StateEvent

_ADD = text(
    """
    insert into meter_state_events (meter_id, attribute, event, actor, meter_interaction_id, grid_id, data)
    select meter_id, attribute, event, actor, interaction_id, grid_id, data
    from jsonb_to_recordset(cast(:events as jsonb)) as new (
        meter_id int, attribute text, event text, actor text, interaction_id bigint, grid_id int, data jsonb)
    """
)


class PostgresStateEvents:
    """``StateEvents`` on the relational plane.

    Args:
        connection: The open transaction's.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, events: Sequence[StateEvent]) -> None:
        """See ``StateEvents.add``."""
        if events:
            await self._connection.execute(_ADD, {"events": dump_json([_row(event) for event in events])})


def _row(event: StateEvent) -> dict[str, object]:
    return {
        "meter_id": event.meter_id,
        "attribute": event.attribute,
        "event": event.event,
        "actor": event.actor,
        "interaction_id": event.interaction_id,
        "grid_id": event.grid_id,
        "data": event.data,
    }
