"""``nxt ledger take-over``: a predecessor's books, rehearsed or taken over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import attrs
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.old_books import PostgresOldBooks, open_old_books
from nxt_adapters.supabase.take_over import TakeOverWork
from nxt_domain.orders.old_books import Remark
from nxt_domain.orders.use_cases.take_over import Rehearse, TakenOver, TakeOver, Told

_STATEMENT_TIMEOUT_MS: Final = 300_000
_LINES: Final = 1000
Hear = Callable[[Sequence[Remark]], None]


@attrs.frozen(kw_only=True)
class Places:
    """Where the books are.

    Attributes:
        source_url: ``postgresql://…`` of the predecessor's database.
        schema: In which its tables stand there.
        relational_url: ``postgresql://…`` of the relational plane.
    """

    source_url: str
    schema: str
    relational_url: str


def rehearse(places: Places, told: Told, hear: Hear) -> TakenOver:
    """Read everything and tell what a take-over would; the relational plane is not even opened.

    Raises:
        DomainError: See ``Rehearse``.
    """

    async def run(source: AsyncEngine) -> TakenOver:
        return await Rehearse(source=PostgresOldBooks(source, places.schema))(told, hear)

    return asyncio.run(_with_source(places, run))


def take_over(places: Places, told: Told, hear: Hear) -> TakenOver:
    """Take over what is left, then tell the whole report, also that of earlier runs.

    Raises:
        DomainError: See ``TakeOver``.
    """

    async def run(source: AsyncEngine) -> TakenOver:
        engine = create_engine(
            places.relational_url,
            pool_size=1,
            application_name="nxt ledger take-over",
            statement_timeout_ms=_STATEMENT_TIMEOUT_MS,
        )
        try:
            old = PostgresOldBooks(source, places.schema)
            outcome = await TakeOver(source=old, begin=lambda: TakeOverWork(engine))(told)
            await _report(engine, hear)
        finally:
            await engine.dispose()
        return outcome

    return asyncio.run(_with_source(places, run))


async def _with_source(places: Places, work: Callable[[AsyncEngine], Awaitable[TakenOver]]) -> TakenOver:
    source = open_old_books(places.source_url)
    try:
        return await work(source)
    finally:
        await source.dispose()


async def _report(engine: AsyncEngine, hear: Hear) -> None:
    after = 0
    while True:
        async with TakeOverWork(engine) as tx:
            lines = await tx.new_books.remarks(after, _LINES)
        if not lines:
            return
        hear([remark for _, remark in lines])
        after = lines[-1][0]
