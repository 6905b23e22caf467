"""Logins of the demo's people; their accounts follow by trigger, as with any identity provider [REL-97, REL-98]."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

import attrs
from sqlalchemy import Connection, bindparam, insert, select, update

from nxt_adapters.supabase.tables import accounts, auth_users, members


@attrs.frozen(kw_only=True)
class Login:
    """Someone who signs in at the identity provider.

    Attributes:
        user_id: ``auth.users.id``, also ``accounts.supabase_id``.
    """

    user_id: uuid.UUID
    account_id: int
    email: str
    full_name: str
    member_type: str
    organization_id: int


def seed_member(connection: Connection, organization_id: int, email: str, name: str, member_type: str) -> Login:
    """Make a member with an e-mail; the password is set where the identity provider is."""
    user_id, account_id = _accounts(connection, [{"email": email, "full_name": name}])[0]
    member_id = connection.execute(
        insert(members).values(account_id=account_id, member_type=member_type).returning(members.c.id)
    ).scalar_one()
    more = {"account_type": "MEMBER", "member_id": member_id, "member_type": member_type}
    _claim(connection, [(user_id, account_id)], {"organization_id": organization_id, **more})
    return Login(
        user_id=user_id,
        account_id=account_id,
        email=email,
        full_name=name,
        member_type=member_type,
        organization_id=organization_id,
    )


def seed_residents(
    connection: Connection, account_type: str, organization_id: int, grid_id: int, people: Sequence[Mapping[str, str]]
) -> Sequence[int]:
    """Make accounts of agents or customers of a grid.

    Args:
        connection: As the owner of the tables.
        account_type: ``AGENT`` or ``CUSTOMER``.
        organization_id: Their tenant.
        grid_id: Their grid.
        people: ``full_name``, and ``phone`` without plus.

    Returns:
        The accounts' ids, in the order of the people.
    """
    made = _accounts(connection, people)
    claims = {"account_type": account_type, "organization_id": organization_id, "grid_id": grid_id}
    _claim(connection, made, claims)
    return [account_id for _, account_id in made]


def _accounts(connection: Connection, people: Sequence[Mapping[str, str]]) -> list[tuple[uuid.UUID, int]]:
    logins = [uuid.uuid4() for _ in people]
    rows = [
        {
            "id": user_id,
            "email": person.get("email"),
            "phone": person.get("phone"),
            "raw_user_meta_data": {"full_name": person["full_name"]},
            "raw_app_meta_data": {},
        }
        for user_id, person in zip(logins, people, strict=True)
    ]
    connection.execute(insert(auth_users), rows)
    query = select(accounts.c.supabase_id, accounts.c.id).where(accounts.c.supabase_id.in_(logins))
    ids = {row.supabase_id: row.id for row in connection.execute(query)}
    return [(user_id, ids[user_id]) for user_id in logins]


def _claim(connection: Connection, made: Sequence[tuple[uuid.UUID, int]], claims: Mapping[str, object]) -> None:
    """Write application metadata [REL-99]; the organization reaches the account from there."""
    statement = update(auth_users).where(auth_users.c.id == bindparam("login"))
    connection.execute(
        statement.values(raw_app_meta_data=bindparam("claims")),
        [{"login": user_id, "claims": {**claims, "account_id": account_id}} for user_id, account_id in made],
    )
