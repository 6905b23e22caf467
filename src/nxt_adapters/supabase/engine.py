"""Connection pools to the relational plane."""

from __future__ import annotations

import select
import time
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
import psycopg
from sqlalchemy import event
from sqlalchemy.engine import URL, Dialect, make_url
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

APPLICATION_ROLE = "nxt_app"
_LONG_IDLE_S = 30.0
_LAST_USED = "last_used"
_ANSWER_WITHIN_S = 4.0  # a route must tell of an exhausted pool before its caller gives up [API-36]
_JSON_READER = msgspec.json.Decoder(float_hook=Decimal)
_JSON = msgspec.json.Encoder(decimal_format="number")


def dump_json(value: object) -> str:
    """Write JSON for the database; decimals become numbers, exactly as they are."""
    return _JSON.encode(value).decode()


def load_json(text: str | bytes) -> object:
    """Read JSON from the database; numbers with a fraction become decimals, exactly as they stand."""
    return _JSON_READER.decode(text)


def libpq_url(url: str) -> str:
    """Write a ``postgresql://`` URL, of SQLAlchemy's kind or not, as psycopg itself reads it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def psycopg_url(url: str) -> URL:
    """Read a ``postgresql://`` URL so that SQLAlchemy speaks to it through psycopg 3."""
    return make_url(url).set(drivername="postgresql+psycopg")


def create_engine(
    url: str,
    *,
    pool_size: int = 20,
    application_name: str = "nxt",
    statement_timeout_ms: int = 15_000,
    role: str | None = APPLICATION_ROLE,
) -> AsyncEngine:
    """Open a pool whose sessions act as ``nxt_app``, which has no write right on the ledger [R14].

    Args:
        url: ``postgresql://user:password@host:port/database``.
        pool_size: Connections at most [API-204].
        application_name: Shown in ``pg_stat_activity``.
        statement_timeout_ms: Bound of one statement: 15 s for requests, 5 min for jobs [REL-185].
        role: What the sessions act as; None: the login itself, on a database that has nothing but its own.
    """
    engine = create_async_engine(
        psycopg_url(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_ANSWER_WITHIN_S,
        pool_recycle=1800,
        pool_use_lifo=True,  # the warmest connection first: its server process has plans and catalogue at hand
        json_serializer=dump_json,
        json_deserializer=load_json,
        connect_args=connection_options(application_name, statement_timeout_ms, role),
    )
    pool = engine.sync_engine.pool
    event.listen(pool, "connect", _prepare_always)
    event.listen(pool, "checkout", partial(_ping_if_in_doubt, engine.sync_engine.dialect))
    event.listen(pool, "checkin", _note_use)
    return engine


def connection_options(
    application_name: str = "nxt", statement_timeout_ms: int = 15_000, role: str | None = APPLICATION_ROLE
) -> dict[str, Any]:
    """Make the arguments of each connection: who it acts as, and what it waits for at most."""
    options = ("" if role is None else f"-c role={role} ") + (
        f"-c timezone=UTC -c statement_timeout={statement_timeout_ms}"
        " -c lock_timeout=3000 -c idle_in_transaction_session_timeout=60000"
    )
    return {"connect_timeout": 2, "application_name": application_name, "options": options}


def for_reading(engine: AsyncEngine) -> AsyncEngine:
    """Let a pool's connections run without transactions, where nothing is changed: three round trips less."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def _prepare_always(connection: object, _record: object) -> None:
    # The same few statements run all day: let the server keep their plans from the second use on.
    driver_connection = getattr(connection, "driver_connection", None)
    if driver_connection is not None:
        driver_connection.prepare_threshold = 2


def _ping_if_in_doubt(dialect: Dialect, connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:  # noqa: ANN401 - a driver's connection
    """Ask a pooled connection whether it lives, where there is reason to; a question each time costs a round trip.

    A server that went away has closed the socket, which shows without asking. What may vanish silently is a
    connection through a network that was idle for long.
    """
    last_used = record.info.get(_LAST_USED)
    if last_used is None or not (_is_silent_for_long(last_used) or has_news(connection.driver_connection)):
        return
    try:
        dialect.do_ping(connection)
    except psycopg.Error as error:
        raise InvalidatePoolError("the connection is gone") from error


def _note_use(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info[_LAST_USED] = time.monotonic()


def _is_silent_for_long(last_used: float) -> bool:
    return time.monotonic() - last_used > _LONG_IDLE_S


def has_news(connection: psycopg.AsyncConnection[Any]) -> bool:
    """Tell whether an idle connection has something to read: a farewell, or its end."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
