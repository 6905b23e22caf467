"""Where logins live: the table ``auth.users`` of the relational database, or memory in tests."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import attrs
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

_COLUMNS = "id, email, phone, encrypted_password, raw_user_meta_data, raw_app_meta_data, banned_until"


@attrs.frozen(kw_only=True)
class AuthUser:
    """One login.

    Attributes:
        id: login id, ``accounts.supabase_id``.
        email: address, lower case.
        phone: digits of the number, or None.
        encrypted_password: see `passwords`.
        user_metadata: ``{"full_name": …}``.
        app_metadata: ``{"account_id": …, "account_type": …}`` and so on [REL-99].
        banned_until: no new logins before this instant [API-177].
    """

    id: UUID
    email: str | None = None
    phone: str | None = None
    encrypted_password: str | None = attrs.field(default=None, repr=False)
    user_metadata: Mapping[str, Any] = attrs.field(factory=dict)
    app_metadata: Mapping[str, Any] = attrs.field(factory=dict)
    banned_until: datetime | None = None


class UserStore(Protocol):
    """Finds logins."""

    async def by_email(self, email: str) -> AuthUser | None:
        """Return the login with the e-mail, compared without case."""
        ...

    async def by_phone(self, phone: str) -> AuthUser | None:
        """Return the login with the phone number; a leading ``+`` is of no matter."""
        ...

    async def by_id(self, user_id: UUID) -> AuthUser | None:
        """Return the login with the id."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


class MemoryUserStore:
    """Logins in memory."""

    def __init__(self, users: Iterable[AuthUser] = ()) -> None:
        self.users = {user.id: user for user in users}

    async def by_email(self, email: str) -> AuthUser | None:
        """See `UserStore.by_email`."""
        wanted = email.lower()
        return next((user for user in self.users.values() if (user.email or "").lower() == wanted), None)

    async def by_phone(self, phone: str) -> AuthUser | None:
        """See `UserStore.by_phone`."""
        wanted = phone.lstrip("+")
        return next((user for user in self.users.values() if (user.phone or "").lstrip("+") == wanted), None)

    async def by_id(self, user_id: UUID) -> AuthUser | None:
        """See `UserStore.by_id`."""
        return self.users.get(user_id)

    async def close(self) -> None:
        """See `UserStore.close`."""


class PostgresUserStore:
    """Logins in ``auth.users``.

    Args:
        url: ``postgresql://…`` of the relational database; a ``+driver`` in the scheme is dropped.
    """

    def __init__(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        self._pool = AsyncConnectionPool(
            f"{scheme.partition('+')[0]}://{rest}",
            min_size=0,
            max_size=4,
            open=False,
            timeout=10.0,
            kwargs={"autocommit": True, "row_factory": dict_row},
            check=AsyncConnectionPool.check_connection,
        )
        self._is_open = False

    async def by_email(self, email: str) -> AuthUser | None:
        """See `UserStore.by_email`."""
        return await self._one("lower(email) = lower(%s)", email)

    async def by_phone(self, phone: str) -> AuthUser | None:
        """See `UserStore.by_phone`."""
        return await self._one("ltrim(phone, '+') = ltrim(%s, '+')", phone)

    async def by_id(self, user_id: UUID) -> AuthUser | None:
        """See `UserStore.by_id`."""
        return await self._one("id = %s", user_id)

    async def add(self, user: AuthUser) -> None:
        """Insert a login, or replace the one with its id."""
        await self._open()
        async with self._pool.connection() as connection:
            await connection.execute(
                f"INSERT INTO auth.users ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s) "  # noqa: S608 - constant
                "ON CONFLICT (id) DO UPDATE SET email = excluded.email, phone = excluded.phone, "
                "encrypted_password = excluded.encrypted_password, "
                "raw_user_meta_data = excluded.raw_user_meta_data, "
                "raw_app_meta_data = excluded.raw_app_meta_data, banned_until = excluded.banned_until",
                (
                    user.id,
                    user.email,
                    user.phone,
                    user.encrypted_password,
                    Jsonb(dict(user.user_metadata)),
                    Jsonb(dict(user.app_metadata)),
                    user.banned_until,
                ),
            )

    async def close(self) -> None:
        """See `UserStore.close`."""
        if self._is_open:
            await self._pool.close()
            self._is_open = False

    async def _open(self) -> None:
        if not self._is_open:
            self._is_open = True
            await self._pool.open(wait=False)

    async def _one(self, condition: str, value: object) -> AuthUser | None:
        await self._open()
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                f"SELECT {_COLUMNS} FROM auth.users WHERE {condition} LIMIT 1",  # noqa: S608 - constants of this class
                (value,),
            )
            row: dict[str, Any] | None = await cursor.fetchone()  # type: ignore[assignment]  # row_factory is dict_row
        if row is None:
            return None
        return AuthUser(
            id=row["id"],
            email=row["email"],
            phone=row["phone"],
            encrypted_password=row["encrypted_password"],
            user_metadata=row["raw_user_meta_data"] or {},
            app_metadata=row["raw_app_meta_data"] or {},
            banned_until=row["banned_until"],
        )
