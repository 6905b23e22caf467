"""Accounts as the chat bot knows them, on the relational plane [API-115, API-116]."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, RowMapping, case, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.tables import accounts, agents, customers, members, wallets
from nxt_domain.identity.chat import ChatAccount, ChatWallet


class PostgresChatAccounts:
    """``ChatAccounts`` on the relational plane.

    Args:
        connection: Of the open transaction.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def by_link_token(self, token: str, *, at: datetime) -> ChatAccount | None:
        """See ``ChatAccounts.by_link_token``."""
        expires_at = accounts.c.telegram_link_token_expires_at
        return await self._find(accounts.c.telegram_link_token == token, or_(expires_at.is_(None), expires_at > at))

    async def by_telegram_id(self, telegram_id: str) -> ChatAccount | None:
        """See ``ChatAccounts.by_telegram_id``."""
        return await self._find(accounts.c.telegram_id == telegram_id)

    async def link(self, account_id: int, *, telegram_id: str, next_token: str) -> None:
        """See ``ChatAccounts.link``."""
        values = {"telegram_id": telegram_id, "telegram_link_token": next_token}
        await self._connection.execute(update(accounts).where(accounts.c.id == account_id).values(**values))

    async def purse(self, account_id: int) -> ChatWallet | None:
        """See ``ChatAccounts.purse``; the first of member, agent, customer decides [API-47]."""
        joined = (
            accounts.outerjoin(members, members.c.account_id == accounts.c.id)
            .outerjoin(agents, agents.c.account_id == accounts.c.id)
            .outerjoin(customers, customers.c.account_id == accounts.c.id)
        )
        owned: ColumnElement[bool] = case(
            (members.c.id.is_not(None), wallets.c.organization_id == accounts.c.organization_id),
            (agents.c.id.is_not(None), wallets.c.agent_id == agents.c.id),
            else_=wallets.c.customer_id == customers.c.id,
        )
        query = (select(wallets.c.id, wallets.c.balance).select_from(joined.join(wallets, owned))).where(
            accounts.c.id == account_id
        )
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else ChatWallet(**row)

    async def _find(self, *wanted: ColumnElement[bool]) -> ChatAccount | None:
        query = (
            select(accounts.c.id, accounts.c.full_name, accounts.c.telegram_id)
            .where(*wanted, accounts.c.deleted_at.is_(None))
            .with_for_update()
        )
        row: RowMapping | None = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else ChatAccount(**row)
