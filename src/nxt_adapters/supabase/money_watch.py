"""What operators watch of money, read when it is asked for [PAY-135]. Nothing here walks through a table's past."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import attrs
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_domain.shared.errors import Unavailable

# Along the index of what changed last: a quarter of an hour is what a dashboard shows as "now".
_ORDERS: Final = text(
    """
    select cast(order_status as text) as status, coalesce(cast(payment_channel as text), 'NONE') as channel,
        count(*) as orders
    from public.orders where updated_at > now() - interval '15 minutes' group by 1, 2
    """
)
_PENDING: Final = text(
    """
    select coalesce(extract(epoch from now() - min(updated_at)), 0) from public.orders where order_status = 'PENDING'
    """
)
_OUTBOX: Final = text(
    """
    select kind, count(*) as tasks, extract(epoch from now() - min(created_at)) as oldest_s
    from internal.outbox_tasks where done_at is null and dropped_at is null group by kind
    """
)
_SUSPENSE: Final = text(
    """
    select cast(currency as text) as currency, sum(balance) as amount from internal.ledger_accounts
    where account_class = 'SUSPENSE' group by currency
    """
)


@attrs.frozen(kw_only=True)
class Backlog:
    """Open tasks of a kind."""

    tasks: int
    oldest_s: float


@attrs.frozen(kw_only=True)
class MoneyState:
    """How money stands.

    Attributes:
        orders: Those that changed within a quarter of an hour, by status and channel.
        oldest_pending_s: How long the oldest order waits for its settlement; 0: none waits.
        backlog: Open tasks of the outbox, by kind.
        suspense: Money that fits no order, by currency.
    """

    orders: Mapping[tuple[str, str], int]
    oldest_pending_s: float
    backlog: Mapping[str, Backlog]
    suspense: Mapping[str, Decimal]


class PostgresMoneyWatch:
    """Looks at the relational plane.

    Args:
        engine: The process's pool.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def look(self) -> MoneyState:
        """Read how money stands; four statements.

        Raises:
            Unavailable: The database can't be reached.
        """
        try:
            async with self._engine.connect() as connection:

                async def rows(statement: Any) -> Any:  # noqa: ANN401 - a result of any shape
                    return (await connection.execute(statement)).all()

                orders, pending = await rows(_ORDERS), (await connection.execute(_PENDING)).scalar_one()
                backlog, suspense = await rows(_OUTBOX), await rows(_SUSPENSE)
        except (SQLAlchemyError, OSError) as error:
            raise Unavailable("The database can't be reached") from error
        return MoneyState(
            orders={(row.status, row.channel): row.orders for row in orders},
            oldest_pending_s=float(pending),
            backlog={row.kind: Backlog(tasks=row.tasks, oldest_s=float(row.oldest_s)) for row in backlog},
            suspense={row.currency: row.amount for row in suspense},
        )
