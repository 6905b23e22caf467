"""Entries and postings of the ledger [PAY-24]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import attrs

from nxt_domain.shared.errors import Conflict, Unprocessable
from nxt_domain.shared.money import Currency
from nxt_domain.wallets.accounts import AccountClass


class EntryType(StrEnum):
    """Why money moved."""

    ORDER_SETTLEMENT = "ORDER_SETTLEMENT"
    ORDER_REVERSAL = "ORDER_REVERSAL"
    GATEWAY_SUSPENSE = "GATEWAY_SUSPENSE"
    SUSPENSE_RESOLUTION = "SUSPENSE_RESOLUTION"
    PAYOUT_ACCRUAL = "PAYOUT_ACCRUAL"
    PAYOUT_DISBURSEMENT = "PAYOUT_DISBURSEMENT"
    OPENING_BALANCE = "OPENING_BALANCE"
    ADJUSTMENT = "ADJUSTMENT"


class UnbalancedEntry(Unprocessable):
    """The postings are too few, worth nothing or don't sum to zero [PAY-25]."""

    default_code = "LEDGER_UNBALANCED"


class FloorViolated(Unprocessable):
    """A balance would fall below its account's floor [PAY-29]; the whole call is refused."""

    default_code = "LEDGER_FLOOR"


class LedgerKeyConflict(Conflict):
    """The idempotency key is known, with other postings [R51]."""

    default_code = "LEDGER_KEY_CONFLICT"


class AccountClosed(Unprocessable):
    """The account takes no more postings."""

    default_code = "LEDGER_ACCOUNT_CLOSED"


@attrs.frozen
class Posting:
    """One leg of an entry.

    Attributes:
        account: Code of the account, see ``accounts``.
        amount: In the account's currency; positive adds, negative takes; at most 4 decimals [PAY-2, PAY-6].
    """

    account: str
    amount: Decimal


@attrs.frozen(kw_only=True)
class Entry:
    """One balanced movement of money, to be posted once.

    Attributes:
        key: Idempotency key, e.g. ``order:50:settle`` [PAY-27].
        effective_at: When it happened, aware; None: when it is posted.
        reverses_entry_id: The mistaken entry that this one corrects [PAY-26].
        memo: Why; required for an ``ADJUSTMENT``.
    """

    key: str
    entry_type: EntryType
    postings: Sequence[Posting]
    order_id: int | None = None
    payout_id: int | None = None
    meter_credit_transfer_id: int | None = None
    reverses_entry_id: int | None = None
    author_account_id: int | None = None
    effective_at: datetime | None = None
    memo: str | None = None


@attrs.frozen(kw_only=True)
class PostedEntry:
    """The receipt of an entry.

    Attributes:
        id: Entry id.
        created: False if the key was known, and nothing changed.
    """

    id: int
    key: str
    created: bool


@attrs.frozen(kw_only=True)
class StoredEntry:
    """An entry as the books hold it.

    Attributes:
        postings: In the order in which they were posted.
    """

    id: int
    key: str
    entry_type: EntryType
    postings: Sequence[Posting]


@attrs.frozen(kw_only=True)
class LedgerAccount:
    """An account with its present balance.

    Attributes:
        balance: Sum of its postings; of a hot account only a statistic.
        min_balance: Floor; None: none.
    """

    code: str
    account_class: AccountClass
    currency: Currency
    min_balance: Decimal | None
    is_hot: bool
    balance: Decimal = Decimal(0)
    wallet_id: int | None = None
    is_open: bool = True


@attrs.frozen(kw_only=True)
class PostedPosting:
    """A posting as it was stored.

    Attributes:
        balance_before: Balance of the account before it; None for hot accounts.
        balance_after: Balance after it; None for hot accounts.
    """

    account: str
    amount: Decimal
    balance_before: Decimal | None
    balance_after: Decimal | None
