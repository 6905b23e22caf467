"""The invariants of the books, checked over a whole ledger in memory (PAY 5.3). The adapter checks them in SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

import attrs

from nxt_domain.shared.money import Currency
from nxt_domain.wallets.accounts import currency_of
from nxt_domain.wallets.model import Entry, LedgerAccount, PostedPosting
from nxt_domain.wallets.ports import Finding


@attrs.frozen(kw_only=True)
class BookedEntry:
    """An entry in the books, with its postings as stored."""

    id: int
    entry: Entry
    postings: Sequence[PostedPosting]


def check_books(accounts: Iterable[LedgerAccount], entries: Iterable[BookedEntry]) -> Sequence[Finding]:
    """Check that every entry balances, every chain is unbroken, and every balance is the sum of its postings.

    Args:
        accounts: All accounts.
        entries: All entries, in the order of their ids.
    """
    booked = sorted(entries, key=lambda entry: entry.id)
    findings = [finding for entry in booked for finding in _entry_findings(entry)]
    postings: dict[str, list[PostedPosting]] = defaultdict(list)
    for entry in booked:
        for posting in entry.postings:
            postings[posting.account].append(posting)
    known = {account.code: account for account in accounts}
    for account in known.values():
        findings += _account_findings(account, postings[account.code])
    findings += _currency_findings(known.values())
    return findings


def _entry_findings(booked: BookedEntry) -> Iterator[Finding]:
    subject = f"entry:{booked.id}"
    if len(booked.postings) < 2:
        yield Finding(rule="ENTRY_TOO_SHORT", subject=subject, text=f"it has {len(booked.postings)} postings")
    sums: dict[Currency, Decimal] = defaultdict(Decimal)
    for posting in booked.postings:
        sums[currency_of(posting.account)] += posting.amount
    for currency, total in sums.items():
        if total != 0:
            yield Finding(rule="ENTRY_UNBALANCED", subject=subject, text=f"its postings sum to {currency} {total}")


def _account_findings(account: LedgerAccount, postings: Sequence[PostedPosting]) -> Iterator[Finding]:
    subject = f"account:{account.code}"
    total = sum((posting.amount for posting in postings), Decimal(0))
    if total != account.balance:
        text = f"balance is {account.balance}, postings sum to {total}"
        yield Finding(rule="BALANCE_DIFFERS", subject=subject, text=text)
    if account.is_hot:
        return
    if account.min_balance is not None and account.balance < account.min_balance:
        text = f"balance {account.balance} lies below {account.min_balance}"
        yield Finding(rule="FLOOR_BROKEN", subject=subject, text=text)
    expected = Decimal(0)
    for posting in postings:
        if posting.balance_before != expected or posting.balance_after != expected + posting.amount:
            text = f"{posting.balance_before} → {posting.balance_after} should begin at {expected}"
            yield Finding(rule="CHAIN_BROKEN", subject=subject, text=text)
        expected += posting.amount


def _currency_findings(accounts: Iterable[LedgerAccount]) -> Iterator[Finding]:
    sums: dict[Currency, Decimal] = defaultdict(Decimal)
    for account in accounts:
        sums[account.currency] += account.balance
    for currency, total in sums.items():
        if total != 0:
            text = f"all accounts together hold {total}"
            yield Finding(rule="BOOKS_UNBALANCED", subject=f"currency:{currency}", text=text)
