"""What makes an entry acceptable, and what it does to balances: pure, and enforced again by the store [PAY-32]."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

import attrs

from nxt_domain.shared.money import Currency, decimal_places, round_half_up
from nxt_domain.wallets.accounts import (
    currency_of,
    gateway_account,
    kind_of,
    manual_account,
    suspense_account,
    wallet_account,
    wallet_of,
)
from nxt_domain.wallets.model import (
    AccountClosed,
    Entry,
    EntryType,
    FloorViolated,
    LedgerAccount,
    PostedPosting,
    Posting,
    StoredEntry,
    UnbalancedEntry,
)

_STORED_DECIMALS = 4


def validate(entry: Entry) -> None:
    """Check an entry by itself [PAY-25].

    Raises:
        UnbalancedEntry: Fewer than two postings, an amount of zero or with more than 4 decimals, a sum per currency
            other than zero, or an adjustment without memo.
        InvalidInput: An account that the chart of accounts doesn't have.
    """
    if len(entry.postings) < 2:
        raise UnbalancedEntry(f"entry {entry.key} has fewer than two postings")
    if entry.entry_type is EntryType.ADJUSTMENT and not entry.memo:
        raise UnbalancedEntry(f"adjustment {entry.key} says no reason")
    sums: dict[Currency, Decimal] = defaultdict(Decimal)
    for posting in entry.postings:
        kind_of(posting.account)
        if not posting.amount.is_finite() or posting.amount == 0:
            raise UnbalancedEntry(f"entry {entry.key} moves nothing on {posting.account}")
        if decimal_places(posting.amount) > _STORED_DECIMALS:
            raise UnbalancedEntry(f"entry {entry.key} has an amount with more than 4 decimals")
        sums[currency_of(posting.account)] += posting.amount
    for currency, total in sums.items():
        if total != 0:
            raise UnbalancedEntry(f"entry {entry.key} is off by {currency} {total}")


def open_account(code: str) -> LedgerAccount:
    """Return a new, empty account as the chart of accounts defines it.

    Raises:
        InvalidInput: The chart of accounts has no such code.
    """
    kind = kind_of(code)
    return LedgerAccount(
        code=code,
        account_class=kind.account_class,
        currency=currency_of(code),
        min_balance=kind.min_balance,
        is_hot=kind.is_hot,
        wallet_id=wallet_of(code),
    )


def apply(
    entry: Entry, accounts: Mapping[str, LedgerAccount]
) -> tuple[Sequence[PostedPosting], Sequence[LedgerAccount]]:
    """Work out what an entry does to the accounts it touches [PAY-28, PAY-29, PAY-33].

    Args:
        entry: A valid entry.
        accounts: The accounts it names, by code.

    Returns:
        The postings with running balances, and the accounts afterwards.

    Raises:
        FloorViolated: A balance would fall below its floor after the entry.
        AccountClosed: An account takes no more postings.
    """
    after = {posting.account: accounts[posting.account] for posting in entry.postings}
    posted = []
    for posting in entry.postings:
        account = after[posting.account]
        if not account.is_open:
            raise AccountClosed(f"{account.code} is closed")
        balance = account.balance + posting.amount
        running = (None, None) if account.is_hot else (account.balance, balance)
        posted.append(
            PostedPosting(
                account=posting.account, amount=posting.amount, balance_before=running[0], balance_after=running[1]
            )
        )
        after[posting.account] = attrs.evolve(account, balance=balance)
    for account in after.values():
        if not account.is_hot and account.min_balance is not None and account.balance < account.min_balance:
            raise FloorViolated(f"{account.code} would fall to {account.balance}")
    return posted, tuple(after.values())


def same_movement(one: Sequence[Posting], other: Sequence[Posting]) -> bool:
    """Tell whether two sets of postings move the same money, in whatever order [R51]."""
    return sorted((p.account, p.amount) for p in one) == sorted((p.account, p.amount) for p in other)


@attrs.frozen(kw_only=True)
class MoneySource:
    """Where the money of an order comes from [PAY-34].

    Attributes:
        wallet_id: The sender's wallet.
        is_system: Whether that is the system wallet, which stands for the outside world.
        merchant: The merchant account that received the money, ``platform`` or ``org:<id>``; None: no gateway charge.
        resolves_suspense: Whether the order gives out money that waits in suspense [PAY-80].
    """

    wallet_id: int
    is_system: bool
    merchant: str | None = None
    resolves_suspense: bool = False

    def account(self, currency: Currency) -> str:
        """Return the code of the account that pays."""
        if not self.is_system:
            return wallet_account(self.wallet_id, currency)
        if self.merchant is None:
            return manual_account(currency)
        if self.resolves_suspense:
            return suspense_account(self.merchant, currency)
        return gateway_account(self.merchant, currency)


def settlement_key(order_id: int) -> str:
    """Name the one entry that may settle an order [PAY-27]."""
    return f"order:{order_id}:settle"


def settlement_entry(
    *,
    order_id: int,
    source: MoneySource,
    receiver_account: str,
    amount: Decimal,
    currency: Currency,
    meter_credit_transfer_id: int | None = None,
) -> Entry:
    """Book the settlement of an order: receiver first [PAY-34, PAY-35].

    Args:
        order_id: The order.
        source: Where the money comes from.
        receiver_account: Code of the account that receives it.
        amount: Major units, > 0.
        currency: Of both accounts.
        meter_credit_transfer_id: The credit transfer between meters that the order books, if any.
    """
    return Entry(
        key=settlement_key(order_id),
        entry_type=EntryType.ORDER_SETTLEMENT,
        order_id=order_id,
        postings=(Posting(receiver_account, amount), Posting(source.account(currency), -amount)),
        meter_credit_transfer_id=meter_credit_transfer_id,
    )


def reversal_entry(settled: StoredEntry, *, order_id: int, author_account_id: int, memo: str) -> Entry:
    """Book the opposite of a settlement [PAY-145].

    Args:
        settled: The entry that settled the order.
        order_id: The order.
        author_account_id: Who reverses it.
        memo: Why.
    """
    return Entry(
        key=f"order:{order_id}:reverse",
        entry_type=EntryType.ORDER_REVERSAL,
        order_id=order_id,
        reverses_entry_id=settled.id,
        author_account_id=author_account_id,
        memo=memo,
        postings=[Posting(leg.account, -leg.amount) for leg in settled.postings],
    )


def suspense_entry(
    *, merchant: str, gateway_tx_id: str, order_id: int | None, amount: Decimal, currency: Currency
) -> Entry:
    """Book money that came in through the gateway and fits no order [PAY-79].

    Args:
        merchant: The merchant account that received it.
        gateway_tx_id: The gateway's id of the transaction.
        order_id: The order under whose reference it came, if any.
        amount: As received, major units; kept to 4 decimals, as all money is [PAY-2].
        currency: As received.
    """
    received = round_half_up(amount, _STORED_DECIMALS)
    return Entry(
        key=f"gateway:{merchant}:{gateway_tx_id}:suspense",
        entry_type=EntryType.GATEWAY_SUSPENSE,
        order_id=order_id,
        postings=(
            Posting(suspense_account(merchant, currency), received),
            Posting(gateway_account(merchant, currency), -received),
        ),
    )
