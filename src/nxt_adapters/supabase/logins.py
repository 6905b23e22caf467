"""Logins of a deployment without Supabase: rows of ``auth.users`` in its own database [R30]."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from sqlalchemy import (
    TIMESTAMP,
    ColumnElement,
    RowMapping,
    Text,
    Uuid,
    and_,
    cast,
    column,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy import table as light_table
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.tables.columns import JSON_DOCUMENT
from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_domain.identity.logins import (
    EMAIL_TAKEN,
    PHONE_TAKEN,
    SESSIONS_END_AT,
    Login,
    LoginChange,
    LoginTaken,
    NewLogin,
    epoch_ms,
)
from nxt_domain.identity.model import AccountType
from nxt_domain.identity.passwords import fits, hash_password, require_password
from nxt_domain.identity.rules import bare_phone
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Conflict, InvalidInput, NotFound
from nxt_domain.shared.idempotency import preparing

_INSTANT: Final = TIMESTAMP(timezone=True)
# Not part of the schema that this system owns: on Supabase the table is the identity provider's.
_users: Final = light_table(
    "users",
    column("id", Uuid),
    column("email", Text),
    column("phone", Text),
    column("encrypted_password", Text),
    column("raw_user_meta_data", JSON_DOCUMENT),
    column("raw_app_meta_data", JSON_DOCUMENT),
    column("banned_until", _INSTANT),
    column("created_at", _INSTANT),
    column("last_sign_in_at", _INSTANT),
    column("updated_at", _INSTANT),
    schema="auth",
)
_LOGIN: Final = (
    _users.c.id,
    _users.c.email,
    _users.c.phone,
    _users.c.raw_user_meta_data,
    _users.c.raw_app_meta_data,
    _users.c.banned_until,
    _users.c.created_at,
)
# An invitation that nobody answered: no password, no sign-in, and neither an agent nor a customer.
_IS_OPEN: Final = and_(
    _users.c.encrypted_password.is_(None),
    _users.c.last_sign_in_at.is_(None),
    func.coalesce(_users.c.raw_app_meta_data["account_type"].astext, AccountType.MEMBER.value)
    == AccountType.MEMBER.value,
)


class PostgresIdentityProvider:
    """``IdentityProvider`` in the relational plane. It sends no mail: an operator sets the first password.

    Args:
        engine: The process's pool.
        clock: Tells the time.
    """

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def invite(self, email: str, *, full_name: str, redirect_to: str | None = None) -> Login:
        """See ``IdentityProvider.invite``."""
        async with self._begin() as tx:
            again = update(_users).where(_matches(email, None), _IS_OPEN).values(updated_at=self._clock.now())
            row = (await tx.connection.execute(again.returning(*_LOGIN))).mappings().one_or_none()
            await tx.commit()
        if row is not None:
            return _login(row)
        return await self._insert(NewLogin(full_name=full_name, email=email))

    async def create(self, new: NewLogin) -> Login:
        """See ``IdentityProvider.create``."""
        if not new.email and not new.phone:
            raise InvalidInput("Cannot create a user without either an email or phone", code="LOGIN_REFUSED")
        return await self._insert(new)

    async def find(
        self, *, login_id: str | None = None, email: str | None = None, phone: str | None = None
    ) -> Login | None:
        """See ``IdentityProvider.find``."""
        wanted = _users.c.id == uuid.UUID(login_id) if login_id else _matches(email, phone)
        async with self._begin() as tx:
            query = select(*_LOGIN).where(wanted).order_by(_users.c.id).limit(1)
            row = (await tx.connection.execute(query)).mappings().one_or_none()
        return None if row is None else _login(row)

    async def update(self, login_id: str, change: LoginChange) -> Login:
        """See ``IdentityProvider.update``."""
        values = await self._changes(change)
        statement = update(_users).where(_users.c.id == uuid.UUID(login_id)).values(**values).returning(*_LOGIN)
        try:
            async with self._begin() as tx:
                row = (await tx.connection.execute(statement)).mappings().one_or_none()
                await tx.commit()
        except Conflict as conflict:
            raise _taken(conflict) from conflict
        if row is None:
            raise NotFound("User not found")
        return _login(row)

    async def check(self, *, email: str | None, phone: str | None, password: str) -> Login | None:
        """See ``PasswordLogins.check``."""
        stored = select(*_LOGIN, _users.c.encrypted_password).where(_matches(email, phone)).limit(1)
        async with self._begin() as tx:
            row = (await tx.connection.execute(stored)).mappings().one_or_none()
        known = None if row is None else row["encrypted_password"]
        is_right = await asyncio.to_thread(fits, password, known or await _nobodys_hash())
        if row is None or not known or not is_right:
            return None
        async with self._begin() as tx:
            seen = update(_users).where(_users.c.id == row["id"]).values(last_sign_in_at=self._clock.now())
            await tx.connection.execute(seen)
            await tx.commit()
        return _login(row)

    async def delete(self, login_id: str) -> None:
        """See ``IdentityProvider.delete``."""
        async with self._begin() as tx:
            await tx.connection.execute(delete(_users).where(_users.c.id == uuid.UUID(login_id)))
            await tx.commit()

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[PostgresTransaction]:
        """Open a transaction that belongs to no request: logins are another system's, in the eyes of use cases."""
        with preparing():
            async with PostgresTransaction(self._engine) as tx:
                yield tx

    async def _insert(self, new: NewLogin) -> Login:
        values = {
            "email": new.email.lower() if new.email else None,
            "phone": bare_phone(new.phone) if new.phone else None,
            "encrypted_password": await _hashed(new.password),
            "raw_user_meta_data": {"full_name": new.full_name},
            "raw_app_meta_data": {},
        }
        try:
            async with self._begin() as tx:
                statement = insert(_users).values(**values).returning(*_LOGIN)
                row = (await tx.connection.execute(statement)).mappings().one()
                await tx.commit()
        except Conflict as conflict:
            raise _taken(conflict) from conflict
        return _login(row)

    async def _changes(self, change: LoginChange) -> dict[str, object]:
        now = self._clock.now()
        values: dict[str, object] = {"updated_at": now}
        if change.email:
            values["email"] = change.email.lower()
        if change.phone:
            values["phone"] = bare_phone(change.phone)
        if change.full_name:
            values["raw_user_meta_data"] = _merged(_users.c.raw_user_meta_data, {"full_name": change.full_name})
        claims = dict(change.app_metadata or {})
        if change.password:
            values["encrypted_password"] = await _hashed(change.password)
            # Whoever knew the old password is signed out.
            claims[SESSIONS_END_AT] = epoch_ms(now)
        if claims:
            values["raw_app_meta_data"] = _merged(_users.c.raw_app_meta_data, claims)
        if change.ban is not None:
            values["banned_until"] = _until(now, change.ban)
        return values


def _merged(stored: ColumnElement[object], given: dict[str, object]) -> ColumnElement[object]:
    """Merge the top level, key by key, as the identity provider does [API-168]."""
    return func.coalesce(stored, cast({}, JSON_DOCUMENT)).op("||")(cast(given, JSON_DOCUMENT))


def _until(now: datetime, ban: timedelta) -> datetime | None:
    return now + ban if ban else None


@cache
def _nobody() -> str:
    return hash_password("nobody")


async def _nobodys_hash() -> str:
    return await asyncio.to_thread(_nobody)


async def _hashed(password: str | None) -> str | None:
    if password is None:
        return None
    require_password(password)
    return await asyncio.to_thread(hash_password, password)


def _matches(email: str | None, phone: str | None) -> ColumnElement[bool]:
    return or_(
        func.lower(_users.c.email) == (email or "").lower() if email else _users.c.id.is_(None),
        func.ltrim(_users.c.phone, "+") == bare_phone(phone) if phone else _users.c.id.is_(None),
    )


def _taken(conflict: Conflict) -> LoginTaken:
    return LoginTaken(PHONE_TAKEN if "phone" in conflict.message else EMAIL_TAKEN)


def _login(row: RowMapping) -> Login:
    names, claims = row["raw_user_meta_data"] or {}, row["raw_app_meta_data"] or {}
    return Login(
        id=str(row["id"]),
        email=row["email"] or None,
        phone=bare_phone(row["phone"]) if row["phone"] else None,
        full_name=names.get("full_name"),
        app_metadata=claims,
        banned_until=row["banned_until"],
        created_at=row["created_at"],
    )
