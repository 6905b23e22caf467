"""E-mails and phones that are being given to somebody just now: advisory locks, which end with their session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_domain.identity.rules import contact_keys

_TRY: Final = text("select pg_try_advisory_xact_lock(hashtextextended(:key, 0))")


class PostgresContactClaims:
    """``ContactClaims`` on the relational plane; holds a connection meanwhile, and no row.

    Args:
        engine: The process's pool.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def claimed(self, *, email: str | None, phone: str | None) -> AsyncIterator[bool]:
        """See ``ContactClaims.claimed``."""
        async with PostgresTransaction(self._engine) as tx:
            taken = [
                bool((await tx.connection.execute(_TRY, {"key": f"contact:{key}"})).scalar_one())
                for key in contact_keys(email=email, phone=phone)
            ]
            yield all(taken)
