"""Whether a local login may still use its token [API-49, R30]."""

from __future__ import annotations

import uuid

import jwt
from sqlalchemy import TIMESTAMP, Uuid, column, select, table
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Unauthenticated

_users = table("users", column("id", Uuid), column("banned_until", TIMESTAMP(timezone=True)), schema="auth")


class PostgresSessions:
    """``LiveSessions`` where logins are kept in the relational plane: the login is there, and not banned.

    Args:
        engine: The process's pool.
        clock: Tells the time.
    """

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def confirm(self, token: str) -> None:
        """See ``LiveSessions.confirm``; the token's signature has been verified before."""
        query = select(_users.c.id, _users.c.banned_until).where(_users.c.id == _subject(token))
        async with PostgresTransaction(self._engine) as tx:
            row = (await tx.connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise Unauthenticated("User from sub claim in JWT does not exist")
        if row["banned_until"] is not None and row["banned_until"] > self._clock.now():
            raise Unauthenticated("User is banned")


def _subject(token: str) -> uuid.UUID:
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        return uuid.UUID(str(claims["sub"]))
    except (jwt.PyJWTError, KeyError, ValueError) as error:
        raise Unauthenticated("No valid user data found") from error
