"""The inbox of the gateway's webhooks in PostgreSQL [PAY-72]."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from sqlalchemy import JSON, func, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.tables import gateway_events
from nxt_domain.orders.gateway import IncomingEvent, StoredEvent
from nxt_domain.shared.json import Json

_FIND = text(
    """
    select id, merchant, gateway_tx_id, tx_ref as reference, processed_at is not null as is_processed
    from internal.gateway_events where id = any(cast(:ids as bigint[])) order by id
    """
)
_FINISH = text(
    """
    update internal.gateway_events e set processed_at = now(), result = done.result
    from unnest(cast(:ids as bigint[]), cast(:results as text[])) as done (id, result)
    where e.id = done.id and e.processed_at is null
    """
)
_LONGEST_WORD = 255
_DEEPEST = 32
_MOST_DIGITS = 40


class PostgresGatewayEvents:
    """Implements ``GatewayEvents``.

    Args:
        connection: Carries the caller's transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, merchant: str, event: IncomingEvent, *, result: str | None = None) -> int | None:
        """Store an event unless it was delivered before."""
        payload = storable(event.payload)
        row = {
            "merchant": merchant,
            "gateway_tx_id": _word(event.gateway_tx_id),
            "tx_ref": _word(event.reference),
            "event": _word(event.event),
            "status": _word(event.status),
            "payload": JSON.NULL if payload is None else payload,
            "result": result,
            "processed_at": None if result is None else func.now(),
        }
        statement = insert(gateway_events).values(row)
        fresh = statement.on_conflict_do_nothing(constraint="gateway_events_delivery_key")
        event_id: int | None = await self._connection.scalar(fresh.returning(gateway_events.c.id))
        return event_id

    async def find(self, event_ids: Collection[int]) -> Sequence[StoredEvent]:
        """Read events, in one statement."""
        return [
            StoredEvent(**row) for row in (await self._connection.execute(_FIND, {"ids": list(event_ids)})).mappings()
        ]

    async def finish(self, results: Mapping[int, str]) -> None:
        """Mark events processed, in one statement; the first result of each stays."""
        if results:
            values = {"ids": list(results), "results": list(results.values())}
            await self._connection.execute(_FINISH, values)


def storable(value: Json, depth: int = 0) -> object:
    """Make any JSON fit for ``jsonb``, which knows no NUL, no lone surrogates and no number of a million digits.

    Numbers that are no short integers become text; what is nested deeper than 32 levels is cut off.
    """
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {_text(str(key)): storable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item, depth + 1) for item in value]
    return _number(value) if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else value


def _number(value: float | Decimal) -> int | str:
    """Keep short integers; fractions become text, since the JSON encoder would make binary numbers of them [PAY-1]."""
    number = Decimal(value) if isinstance(value, int) else Decimal(str(value))
    is_short_whole = number.is_finite() and number.adjusted() < _MOST_DIGITS and number == number.to_integral_value()
    return int(number) if is_short_whole else str(number)[:_LONGEST_WORD]


def _text(value: str) -> str:
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _word(value: str | None) -> str | None:
    return None if value is None else _text(value)[:_LONGEST_WORD]
