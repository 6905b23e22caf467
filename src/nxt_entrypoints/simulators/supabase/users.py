"""Where logins live: the table ``auth.users`` of the relational database, or memory in tests."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import attrs
from psycopg import errors
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

_COLUMNS = (
    "id, email, phone, encrypted_password, raw_user_meta_data, raw_app_meta_data, banned_until, "
    "last_sign_in_at, created_at"
)
_BORN = datetime(2026, 1, 1, tzinfo=UTC)


class TakenError(Exception):
    """Another login has the e-mail or phone; ``field`` says which of them."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class BrokenError(Exception):
    """The database refuses: another table's rows hang on the login."""


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
    last_sign_in_at: datetime | None = None
    created_at: datetime = _BORN


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

    async def put(self, user: AuthUser) -> None:
        """Store a login, or replace the one with its id.

        Raises:
            TakenError: another login has the e-mail or phone; nothing was stored.
        """
        ...

    async def signed_in(self, user_id: UUID, at: datetime) -> None:
        """Note a sign-in, and touch nothing else."""
        ...

    async def remove(self, user_id: UUID) -> bool:
        """Delete a login; False: there is none.

        Raises:
            BrokenError: it can't be deleted.
        """
        ...

    async def page(self, number: int, size: int) -> tuple[Sequence[AuthUser], int]:
        """Return a page of all logins, newest first, counted from 1, and how many there are."""
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

    async def put(self, user: AuthUser) -> None:
        """See `UserStore.put`."""
        for other in self.users.values():
            if other.id != user.id:
                if user.email and (other.email or "").lower() == user.email.lower():
                    raise TakenError("email")
                if user.phone and (other.phone or "").lstrip("+") == user.phone.lstrip("+"):
                    raise TakenError("phone")
        self.users[user.id] = user

    async def signed_in(self, user_id: UUID, at: datetime) -> None:
        """See `UserStore.signed_in`."""
        self.users[user_id] = attrs.evolve(self.users[user_id], last_sign_in_at=at)

    async def remove(self, user_id: UUID) -> bool:
        """See `UserStore.remove`."""
        return self.users.pop(user_id, None) is not None

    async def page(self, number: int, size: int) -> tuple[Sequence[AuthUser], int]:
        """See `UserStore.page`."""
        users = list(self.users.values())[::-1]
        return users[(number - 1) * size : number * size], len(users)

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

    async def put(self, user: AuthUser) -> None:
        """See `UserStore.put`."""
        await self._open()
        changed = ", ".join(f"{name.strip()} = excluded.{name.strip()}" for name in _COLUMNS.split(",")[1:-1])
        statement = (
            f"INSERT INTO auth.users ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) "  # noqa: S608 - constants of this module
            f"ON CONFLICT (id) DO UPDATE SET {changed}, updated_at = now()"
        )
        try:
            async with self._pool.connection() as connection:
                await connection.execute(
                    statement,
                    (
                        user.id,
                        user.email,
                        user.phone,
                        user.encrypted_password,
                        Jsonb(dict(user.user_metadata)),
                        Jsonb(dict(user.app_metadata)),
                        user.banned_until,
                        user.last_sign_in_at,
                        user.created_at,
                    ),
                )
        except errors.UniqueViolation as error:
            raise TakenError("phone" if "phone" in (error.diag.constraint_name or "") else "email") from error

    async def signed_in(self, user_id: UUID, at: datetime) -> None:
        """See `UserStore.signed_in`."""
        await self._open()
        async with self._pool.connection() as connection:
            await connection.execute("UPDATE auth.users SET last_sign_in_at = %s WHERE id = %s", (at, user_id))

    async def remove(self, user_id: UUID) -> bool:
        """See `UserStore.remove`."""
        await self._open()
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute("DELETE FROM auth.users WHERE id = %s", (user_id,))
                return cursor.rowcount > 0
        except errors.ForeignKeyViolation as error:
            raise BrokenError(str(error.diag.constraint_name)) from error

    async def page(self, number: int, size: int) -> tuple[Sequence[AuthUser], int]:
        """See `UserStore.page`."""
        await self._open()
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                f"SELECT {_COLUMNS} FROM auth.users ORDER BY created_at DESC, id "  # noqa: S608 - constants of this module
                "LIMIT %s OFFSET %s",
                (size, (number - 1) * size),
            )
            rows: list[DictRow] = await cursor.fetchall()  # type: ignore[assignment]  # row_factory is dict_row
            total = await connection.execute("SELECT count(*) AS total FROM auth.users")
            count: DictRow | None = await total.fetchone()  # type: ignore[assignment]  # row_factory is dict_row
        return [_user(row) for row in rows], int(count["total"]) if count else 0

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
        return None if row is None else _user(row)


def _user(row: Mapping[str, Any]) -> AuthUser:
    return AuthUser(
        id=row["id"],
        email=row["email"],
        phone=row["phone"],
        encrypted_password=row["encrypted_password"],
        user_metadata=row["raw_user_meta_data"] or {},
        app_metadata=row["raw_app_meta_data"] or {},
        banned_until=row["banned_until"],
        last_sign_in_at=row["last_sign_in_at"],
        created_at=row["created_at"],
    )
