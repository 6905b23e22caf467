"""Connections to the series store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg import AsyncConnection, OperationalError
from psycopg.errors import InterfaceError
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from nxt_adapters.timescale.arrays import register_arrays
from nxt_domain.shared.errors import Unavailable

SeriesPool = AsyncConnectionPool[AsyncConnection[TupleRow]]

ANSWER_WITHIN_S = 4.0
"""How long a caller waits for a connection; a route must answer 503 within 5 s [TEL-169]."""


def create_series_pool(
    url: str, *, max_size: int = 8, application_name: str = "nxt", statement_timeout_ms: int = 60_000
) -> SeriesPool:
    """Make a closed pool; ``await pool.open()`` starts it, ``await pool.close()`` ends it.

    Args:
        url: ``postgresql://user:password@host:port/database``, also as ``postgresql+psycopg://``.
        max_size: Connections at most; 1 for a server that takes a single one.
        application_name: Shown in ``pg_stat_activity``.
        statement_timeout_ms: Bound of one statement.
    """

    async def configure(connection: AsyncConnection[TupleRow]) -> None:
        register_arrays(connection)
        # The few statements of this adapter run all day: let the server keep their plans from the second use on.
        connection.prepare_threshold = 2
        await connection.execute(
            "SELECT set_config('timezone', 'UTC', false), set_config('statement_timeout', %s, false),"
            " set_config('idle_in_transaction_session_timeout', '60000', false)",
            (str(statement_timeout_ms),),
        )
        await connection.commit()

    return AsyncConnectionPool(
        url.replace("postgresql+psycopg://", "postgresql://", 1),
        min_size=1,
        max_size=max_size,
        open=False,
        timeout=ANSWER_WITHIN_S,
        max_waiting=1000,
        max_lifetime=1800,
        reconnect_timeout=60,
        configure=configure,
        check=AsyncConnectionPool.check_connection,
        kwargs={"application_name": application_name, "connect_timeout": 3},
    )


@asynccontextmanager
async def told_in_domain_words() -> AsyncIterator[None]:
    """Turn a lost or overloaded store into ``Unavailable``; defects surface as they are."""
    try:
        yield
    except (PoolTimeout, PoolClosed, TooManyRequests, OperationalError, InterfaceError) as error:
        raise Unavailable("The series store can't be reached") from error
