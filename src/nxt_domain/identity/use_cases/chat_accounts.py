"""Accounts and the chat bot: linking one, finding the one of a chat user [API-115, API-116, REL-35]."""

from __future__ import annotations

import uuid
from typing import Protocol

from nxt_domain.identity.chat import ChatUser, LinkedAccount
from nxt_domain.identity.model import Principal
from nxt_domain.identity.ports import ChatAccounts
from nxt_domain.identity.rules import actor_of
from nxt_domain.shared.audit import Act, AuditedTransaction
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Conflict, NotFound, Unprocessable
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory


class ChatTransaction(UnitOfWork, AuditedTransaction, Protocol):
    """A transaction over accounts as the chat bot knows them."""

    @property
    def chat_accounts(self) -> ChatAccounts:
        """All tenants' accounts."""


class LinkTelegram:
    """Links a chat user to the account whose token they brought; a token works once.

    Args:
        begin: Opens a transaction.
        clock: Tells the time.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[ChatTransaction], clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self, caller: Principal, *, telegram_id: str, token: str) -> LinkedAccount:
        """Link.

        Raises:
            NotFound: No account has this token.
            Conflict: The account is linked already, or the chat user has another account.
        """
        async with self._begin() as tx:
            account = await tx.chat_accounts.by_link_token(token, at=self._clock.now())
            if account is None:
                raise NotFound(f"Could not find account with telegram link {token}")
            if account.telegram_id is not None:
                raise Conflict("Account has already been linked", code="ALREADY_LINKED")
            if await tx.chat_accounts.by_telegram_id(telegram_id) is not None:
                raise Conflict("Telegram ID is linked to another account", code="TELEGRAM_ID_TAKEN")
            await tx.chat_accounts.link(account.id, telegram_id=telegram_id, next_token=str(uuid.uuid4()))
            await tx.audit.record(
                Act(
                    actor=actor_of(caller),
                    action="account.link_telegram",
                    entity_type="account",
                    entity_id=account.id,
                )
            )
            await tx.commit()
        return LinkedAccount(full_name=account.full_name or "")


class FindChatUser:
    """Tells the chat bot who a chat user is, and which wallet they pay from.

    Args:
        begin: Opens a transaction.
    """

    def __init__(self, begin: UnitOfWorkFactory[ChatTransaction]) -> None:
        self._begin = begin

    async def __call__(self, telegram_id: str) -> ChatUser:
        """Find the account.

        Raises:
            NotFound: No account is linked to this chat user.
            Unprocessable: Nothing with a wallet hangs below the account.
        """
        async with self._begin() as tx:
            account = await tx.chat_accounts.by_telegram_id(telegram_id)
            if account is None:
                raise NotFound(f"Could not find account with Telegram ID {telegram_id}")
            wallet = await tx.chat_accounts.purse(account.id)
        if wallet is None:
            raise Unprocessable("This account has no related member/agent/customer with a wallet", code="NO_WALLET")
        return ChatUser(id=account.id, full_name=account.full_name or "", wallet=wallet)
