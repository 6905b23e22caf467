"""A wallet's account, line by line, as the books hold it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

import attrs

from nxt_domain.shared.money import Currency
from nxt_domain.shared.paging import Window
from nxt_domain.wallets.model import EntryType


@attrs.frozen(kw_only=True)
class StatementLine:
    """One posting.

    Attributes:
        id: Of the posting; lines are in its order.
        amount: Signed, in the wallet's currency.
        balance_before: Balance of the account before it; None: the account keeps none.
        balance_after: Balance after it.
        counterparts: Codes of the other accounts of the entry.
    """

    id: int
    at: datetime
    entry_id: int
    entry_type: EntryType
    key: str
    order_id: int | None
    amount: Decimal
    balance_before: Decimal | None
    balance_after: Decimal | None
    counterparts: Sequence[str]
    memo: str | None


@attrs.frozen(kw_only=True)
class Statement:
    """Part of a wallet's account.

    Attributes:
        owner: Whose wallet it is, e.g. ``agent 7``.
        balance: As clients read it.
        posted: Sum of all postings ever; equal to ``balance``, or the books are wrong.
        next: Id to continue after; None: this is the end.
    """

    wallet_id: int
    owner: str
    currency: Currency
    balance: Decimal
    posted: Decimal
    lines: Sequence[StatementLine]
    next: int | None


class Statements(Protocol):
    """Reads the books; nothing is summed up but what the account itself holds [PAY-23]."""

    async def of_wallet(self, wallet_id: int, window: Window) -> Statement | None:
        """Read part of a wallet's account, oldest first; None: there is no such wallet.

        Raises:
            Unavailable: The store can't be reached.
        """
