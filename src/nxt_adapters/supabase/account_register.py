"""Accounts by their logins, across tenants: what user administration needs of them [API-171]."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, RowMapping, Select, case, delete, exists, false, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.tables import accounts, agents, customers, members
from nxt_domain.identity.logins import Login
from nxt_domain.identity.model import AccountType, MemberType
from nxt_domain.identity.people import Holder, Person
from nxt_domain.identity.rules import bare_phone

_KIND: Final = case(
    (members.c.id.is_not(None), AccountType.MEMBER.value),
    (agents.c.id.is_not(None), AccountType.AGENT.value),
    (customers.c.id.is_not(None), AccountType.CUSTOMER.value),
)
_PEOPLE: Final = (
    accounts.outerjoin(members, members.c.account_id == accounts.c.id)
    .outerjoin(agents, agents.c.account_id == accounts.c.id)
    .outerjoin(customers, customers.c.account_id == accounts.c.id)
)
PERSON: Final[Select[tuple[object, ...]]] = select(
    _KIND.label("kind"),
    func.coalesce(members.c.id, agents.c.id, customers.c.id).label("id"),
    accounts.c.id.label("account_id"),
    accounts.c.supabase_id,
    accounts.c.organization_id,
    accounts.c.full_name,
    accounts.c.email,
    accounts.c.phone,
    func.coalesce(agents.c.grid_id, customers.c.grid_id).label("grid_id"),
    members.c.member_type,
    accounts.c.deleted_at,
).select_from(_PEOPLE)
"""An account with whatever hangs below it; ``kind`` is null where nothing does."""


class PostgresAccountRegister:
    """``AccountRegister`` on the relational plane.

    Args:
        connection: Of the open transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def holders(self, *, email: str | None, phone: str | None) -> Sequence[Holder]:
        """See ``AccountRegister.holders``."""
        wanted: list[ColumnElement[bool]] = [false()]
        if email:
            wanted.append(func.lower(accounts.c.email) == email.lower())
        if phone:
            wanted.append(accounts.c.phone == bare_phone(phone))
        rows = await self._connection.execute(PERSON.where(or_(*wanted)).order_by(accounts.c.id))
        return [_holder(row) for row in rows.mappings()]

    async def ensure(self, login: Login) -> Holder:
        """See ``AccountRegister.ensure``; the triggers on the logins' table have usually been first [REL-97]."""
        login_id = uuid.UUID(login.id)
        made = insert(accounts).values(
            supabase_id=login_id,
            email=login.email,
            phone=login.phone,
            full_name=login.full_name,
            telegram_link_token=str(uuid.uuid4()),
        )
        await self._connection.execute(made.on_conflict_do_nothing(index_elements=[accounts.c.supabase_id]))
        mine = accounts.c.supabase_id == login_id
        # Two statements: the second one sees what was committed while the first one waited for the lock.
        await self._connection.execute(select(accounts.c.id).where(mine).with_for_update())
        return _holder((await self._connection.execute(PERSON.where(mine))).mappings().one())

    async def by_id(self, account_id: int) -> Holder | None:
        """See ``AccountRegister.by_id``."""
        row = (await self._connection.execute(PERSON.where(accounts.c.id == account_id))).mappings().one_or_none()
        return None if row is None else _holder(row)

    async def discard(self, login_id: str) -> bool:
        """See ``AccountRegister.discard``."""
        mine = accounts.c.supabase_id == uuid.UUID(login_id)
        below = [exists().where(table.c.account_id == accounts.c.id) for table in (members, agents, customers)]
        await self._connection.execute(delete(accounts).where(mine, ~or_(*below)))
        left = await self._connection.execute(select(accounts.c.id).where(mine))
        return left.one_or_none() is None

    async def close(self, account_id: int, *, at: datetime) -> None:
        """See ``AccountRegister.close``."""
        first = func.coalesce(accounts.c.deleted_at, at)
        await self._connection.execute(update(accounts).where(accounts.c.id == account_id).values(deleted_at=first))


def to_person(row: Mapping[Any, Any]) -> Person:
    """Read a row of ``PERSON`` that is somebody."""
    login, role = row["supabase_id"], row["member_type"]
    return Person(
        **{
            **row,
            "kind": AccountType(row["kind"]),
            "supabase_id": None if login is None else str(login),
            "member_type": None if role is None else MemberType(role),
        }
    )


def _holder(row: RowMapping) -> Holder:
    login = row["supabase_id"]
    return Holder(
        account_id=row["account_id"],
        login_id=None if login is None else str(login),
        email=row["email"],
        phone=row["phone"],
        person=None if row["kind"] is None else to_person(row),
    )
