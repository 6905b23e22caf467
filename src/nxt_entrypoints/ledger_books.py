"""``nxt ledger explain`` and ``statement``: the books, read for people."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.ledger_books import PostgresBooks
from nxt_domain.orders.explanation import OrderStory
from nxt_domain.shared.paging import Window
from nxt_domain.wallets.statement import Statement

T = TypeVar("T")


def story(relational_url: str, order_id: int) -> OrderStory | None:
    """Read what is stored about an order.

    Raises:
        Unavailable: The database can't be reached.
    """
    return _with_books(relational_url, lambda books: books.of(order_id))


def statement(relational_url: str, wallet_id: int, window: Window) -> Statement | None:
    """Read part of a wallet's account.

    Raises:
        Unavailable: The database can't be reached.
    """
    return _with_books(relational_url, lambda books: books.of_wallet(wallet_id, window))


def _with_books(relational_url: str, ask: Callable[[PostgresBooks], Awaitable[T]]) -> T:
    async def run() -> T:
        engine = create_engine(relational_url, pool_size=1, application_name="nxt ledger")
        try:
            return await ask(PostgresBooks(engine))
        finally:
            await engine.dispose()

    return asyncio.run(run())
