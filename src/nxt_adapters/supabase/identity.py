"""Accounts and owners of grids on the relational plane."""

from __future__ import annotations

from sqlalchemy import RowMapping, Select, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.tables import accounts, agents, customers, grids, members, organizations
from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_domain.identity.model import Account, MemberType, OrganizationType


class PostgresAccounts:
    """``Accounts`` on the relational plane, one statement per look-up.

    Args:
        engine: The process's pool.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def get(self, account_id: int) -> Account | None:
        """See ``Accounts.get``."""
        async with PostgresTransaction(self._engine) as tx:
            row = (await tx.connection.execute(_account(account_id))).mappings().one_or_none()
        return None if row is None else _to_account(row)


class PostgresGridOwners:
    """``GridOwners`` on the relational plane.

    Args:
        engine: The process's pool.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def organization_of(self, grid_id: int) -> int | None:
        """See ``GridOwners.organization_of``."""
        query = select(grids.c.organization_id).where(grids.c.id == grid_id, grids.c.deleted_at.is_(None))
        async with PostgresTransaction(self._engine) as tx:
            return (await tx.connection.execute(query)).scalar_one_or_none()


def _account(account_id: int) -> Select[tuple[object, ...]]:
    is_closed = func.coalesce(accounts.c.deleted_at, organizations.c.deleted_at).is_not(None)
    joined = (
        accounts.outerjoin(organizations, organizations.c.id == accounts.c.organization_id)
        .outerjoin(members, members.c.account_id == accounts.c.id)
        .outerjoin(agents, agents.c.account_id == accounts.c.id)
        .outerjoin(customers, customers.c.account_id == accounts.c.id)
    )
    return (
        select(
            accounts.c.id,
            accounts.c.supabase_id,
            accounts.c.email,
            accounts.c.full_name,
            accounts.c.organization_id,
            organizations.c.organization_type,
            is_closed.label("is_closed"),
            members.c.id.label("member_id"),
            members.c.member_type,
            agents.c.id.label("agent_id"),
            customers.c.id.label("customer_id"),
            func.coalesce(agents.c.grid_id, customers.c.grid_id).label("grid_id"),
        )
        .select_from(joined)
        .where(accounts.c.id == account_id)
    )


def _to_account(row: RowMapping) -> Account:
    login, tenant, role = row["supabase_id"], row["organization_type"], row["member_type"]
    return Account(
        **{
            **row,
            "supabase_id": None if login is None else str(login),
            "organization_type": None if tenant is None else OrganizationType(tenant),
            "member_type": None if role is None else MemberType(role),
        }
    )
