"""Accounts as the chat bot sees them [API-115, API-116]."""

from __future__ import annotations

from decimal import Decimal

import attrs


@attrs.frozen(kw_only=True)
class ChatAccount:
    """An account, as far as linking needs it.

    Attributes:
        telegram_id: The chat user it is linked to; None: none yet.
    """

    id: int
    full_name: str | None
    telegram_id: str | None


@attrs.frozen(kw_only=True)
class ChatWallet:
    """A wallet; the balance in major units of its currency."""

    id: int
    balance: Decimal


@attrs.frozen(kw_only=True)
class LinkedAccount:
    """Answer to a successful link."""

    full_name: str


@attrs.frozen(kw_only=True)
class ChatUser:
    """Who a chat user is, and what they pay from."""

    id: int
    full_name: str
    wallet: ChatWallet
