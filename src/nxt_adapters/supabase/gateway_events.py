"""The inbox of the gateway's webhooks in PostgreSQL [PAY-72]."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from nxt_adapters.supabase.engine import dump_json
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.written import Read, Written
from nxt_domain.orders.gateway import IncomingEvent, StoredEvent
from nxt_domain.shared.json import Json

# A payload of JSON's null stays one: it is what the gateway sent.
_ADD = Written(
    """
    insert into internal.gateway_events (merchant, gateway_tx_id, tx_ref, event, status, payload, processed_at, result)
    values (:merchant, :gateway_tx_id, :tx_ref, :event, :status, cast(:payload as jsonb),
        case when cast(:result as text) is not null then now() end, :result)
    on conflict on constraint gateway_events_delivery_key do nothing
    returning id
    """
)
_FIND = Read(
    """
    select id, merchant, gateway_tx_id, tx_ref as reference, processed_at is not null as is_processed
    from internal.gateway_events where id = any(cast(:ids as bigint[])) order by id
    """
)
_FINISH = Written(
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
        session: Of the unit of work.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def add(self, merchant: str, event: IncomingEvent, *, result: str | None = None) -> int | None:
        """Store an event unless it was delivered before."""
        row = {
            "merchant": merchant,
            "gateway_tx_id": _word(event.gateway_tx_id),
            "tx_ref": _word(event.reference),
            "event": _word(event.event),
            "status": _word(event.status),
            "payload": dump_json(storable(event.payload)),
            "result": result,
        }
        stored = await self._session.objects(_ADD, row)
        return stored[0].id if stored else None

    async def find(self, event_ids: Collection[int]) -> Sequence[StoredEvent]:
        """Read events, in one statement."""
        return [StoredEvent(**row) for row in await self._session.rows(_FIND, {"ids": list(event_ids)})]

    async def finish(self, results: Mapping[int, str]) -> None:
        """Mark events processed, in one statement; the first result of each stays."""
        if results:
            values = {"ids": list(results), "results": list(results.values())}
            await self._session.run(_FINISH, values)


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
