"""How a predecessor's rows become entries of the ledger [PAY-40]: pure, one wallet or order at a time.

Each ``SUCCESSFUL`` row that can be stored becomes one posting on its wallet's account, so that a wallet holds the sum
of its rows. What the rows can't explain is taken up by ``opening:migration``, and told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

import attrs

from nxt_domain.orders.old_books import Carrier, Oddity, OldOrder, OldRow, OldWallet, Remark, TakenOrder, TakenRow
from nxt_domain.orders.states import OrderStatus
from nxt_domain.shared.money import plain, round_half_up
from nxt_domain.wallets.accounts import OPENING, PLATFORM_MERCHANT, gateway_account, manual_account, wallet_account
from nxt_domain.wallets.model import Entry, EntryType, Posting
from nxt_domain.wallets.rules import settlement_key

_DECIMALS: Final = 4
_UNKNOWN: Final = Decimal(-1)
_REMAINDER: Final = Decimal("0.0001")
_HOME_CURRENCY: Final = "NGN"
_LARGEST: Final = Decimal(10) ** 16
"""Amounts are ``numeric(20,4)`` [PAY-2]."""


@attrs.frozen(kw_only=True)
class Taken:
    """What becomes of a part of the predecessor's rows."""

    orders: Sequence[TakenOrder] = ()
    rows: Sequence[TakenRow] = ()
    carriers: Sequence[Carrier] = ()
    entries: Sequence[Entry] = ()
    remarks: Sequence[Remark] = ()

    @staticmethod
    def all_of(parts: Iterable[Taken]) -> Taken:
        """Put several together, in their order."""
        known = tuple(parts)
        return Taken(
            orders=[one for part in known for one in part.orders],
            rows=[one for part in known for one in part.rows],
            carriers=[one for part in known for one in part.carriers],
            entries=[one for part in known for one in part.entries],
            remarks=[one for part in known for one in part.remarks],
        )


def money(amount: Decimal) -> Decimal | None:
    """Round a former float to what is stored [PAY-2, PAY-5, REL-132]; None: it is no amount of money."""
    if not amount.is_finite() or abs(amount) >= _LARGEST:
        return None
    return round_half_up(amount, _DECIMALS)


def take_wallet(wallet: OldWallet) -> Remark | None:
    """Tell why a wallet can't be taken over; None: it can."""
    if wallet.is_takeable:
        return None
    detail = f"it names {wallet.owners} owners and shows {wallet.balance}"
    return Remark(kind=Oddity.WALLET_REFUSED, wallet_id=wallet.id, amount=money(wallet.posted), detail=detail)


def take_order(order: OldOrder, wallets: Mapping[int, OldWallet], system_wallet_id: int) -> Taken:
    """Take over an order with its rows.

    Args:
        order: As the predecessor has it.
        wallets: At least those wallets that its rows and its ends name and that can be taken over.
        system_wallet_id: Stands in for an end that is missing.
    """
    stored, changes = _ends(order, wallets, system_wallet_id)
    sound, remarks = _bookable(order.rows, wallets)
    if stored is None:
        loose = _carried(sound, wallets, system_wallet_id)
        remarks += [Remark(kind=Oddity.ORDER_REFUSED, order_id=order.id, amount=money(order.amount), detail=changes)]
        return attrs.evolve(loose, remarks=[*remarks, *loose.remarks])
    if changes:
        remarks.append(Remark(kind=Oddity.ORDER_CHANGED, order_id=order.id, amount=stored.amount, detail=changes))
    if order.currency != _HOME_CURRENCY:
        detail = f"its wallets are kept in {_HOME_CURRENCY}"
        remarks.append(
            Remark(
                kind=Oddity.OTHER_CURRENCY,
                order_id=order.id,
                amount=stored.amount,
                detail=f"{order.currency}; {detail}",
            )
        )
    firsts, repeats = _sides(sound)
    booked = _booked(order, stored, [row for row in firsts if row.is_successful], wallets)
    loose = _carried(repeats, wallets, system_wallet_id)
    return Taken(
        orders=[stored],
        rows=[_row(row, order.id) for row in firsts],
        carriers=loose.carriers,
        entries=[*booked.entries, *loose.entries],
        remarks=[*remarks, *booked.remarks, *loose.remarks],
    )


def take_loose_rows(rows: Sequence[OldRow], wallets: Mapping[int, OldWallet], system_wallet_id: int) -> Taken:
    """Take over rows that belong to no order."""
    sound, remarks = _bookable(rows, wallets)
    carried = _carried(sound, wallets, system_wallet_id)
    return attrs.evolve(carried, remarks=[*remarks, *carried.remarks])


def close_wallet(wallet: OldWallet, balance: Decimal, system_wallet_id: int) -> Taken:
    """Bring a wallet's account to the sum of its rows, and tell where it showed something else.

    A sum below zero can't stand [PAY-22, PAY-29]: it is raised to zero by one more row.

    Args:
        wallet: As the predecessor has it.
        balance: What its account holds after all its rows.
        system_wallet_id: The system wallet.
    """
    remarks: list[Remark] = []
    carriers: list[Carrier] = []
    if (shown := money(wallet.balance)) != wallet.posted:
        told = "no number" if shown is None else plain(shown)
        detail = f"it showed {told}, its rows sum to {plain(wallet.posted)}"
        difference = None if shown is None else shown - wallet.posted
        remarks.append(Remark(kind=Oddity.BALANCE_DIFFERS, wallet_id=wallet.id, amount=difference, detail=detail))
    if wallet.is_system:
        return Taken(remarks=remarks)
    if wallet.posted < 0:
        missing = -wallet.posted
        reference = f"take-over:wallet:{wallet.id}"
        carriers.append(
            Carrier(reference=reference, wallet_id=wallet.id, system_wallet_id=system_wallet_id, amount=missing)
        )
        detail = f"its rows sum to {plain(wallet.posted)}"
        remarks.append(Remark(kind=Oddity.RAISED_TO_ZERO, wallet_id=wallet.id, amount=missing, detail=detail))
    step = max(wallet.posted, Decimal(0)) - balance
    key = f"take-over:wallet:{wallet.id}:closing"
    entries = [_opening(key, wallet_account(wallet.id), step)] if step else []
    return Taken(carriers=carriers, entries=entries, remarks=remarks)


def bridged(entries: Sequence[Entry], balances: Mapping[str, Decimal]) -> Sequence[Entry]:
    """Lend wallets what they lack in between, so that none is ever below zero [PAY-29].

    Old rows are not always in the order in which money came; what is lent here, ``close_wallet`` takes back.

    Args:
        entries: In the order in which they will be posted.
        balances: What each account that they name holds before, hot ones left out.
    """
    held = dict(balances)
    result: list[Entry] = []
    for entry in entries:
        steps: dict[str, Decimal] = defaultdict(Decimal)
        for posting in entry.postings:
            if posting.account.startswith("wallet:"):
                steps[posting.account] += posting.amount
        for account, step in steps.items():
            after = held.get(account, Decimal(0)) + step
            if after < 0:
                result.append(_opening(f"take-over:before:{entry.key}:{account}", account, -after))
            held[account] = max(after, Decimal(0))
        result.append(entry)
    return result


def _ends(order: OldOrder, wallets: Mapping[int, OldWallet], system_wallet_id: int) -> tuple[TakenOrder | None, str]:
    """Put an order right, with a word on what was changed; None: it can't be stored, with the reason."""
    amount = money(abs(order.amount)) if order.amount.is_finite() else None
    if not amount:
        return None, f"its amount is {order.amount}"
    sender, receiver = (
        wallets[wallet_id].id if wallet_id is not None and wallet_id in wallets else system_wallet_id
        for wallet_id in (order.sender_wallet_id, order.receiver_wallet_id)
    )
    if sender == receiver:
        return None, f"its wallets are {order.sender_wallet_id} and {order.receiver_wallet_id}"
    words = []
    if order.amount < 0:
        words.append(f"its amount was {plain(order.amount)}")
    for word, was, end in (
        ("sender", order.sender_wallet_id, sender),
        ("receiver", order.receiver_wallet_id, receiver),
    ):
        if was != end:
            words.append(f"its {word} was wallet {was}")
    tariff = round_half_up(order.tariff, _DECIMALS) if order.tariff.is_finite() else _UNKNOWN
    stored = TakenOrder(
        id=order.id,
        order_status=order.order_status,
        amount=amount,
        tariff=tariff if tariff > 0 else _UNKNOWN,
        sender_wallet_id=sender,
        receiver_wallet_id=receiver,
        columns=order.columns,
    )
    return stored, "; ".join(words)


def _bookable(rows: Sequence[OldRow], wallets: Mapping[int, OldWallet]) -> tuple[list[OldRow], list[Remark]]:
    """Keep rows that have a wallet and an amount, rounded; tell about the others, unless no money moved."""
    sound: list[OldRow] = []
    remarks: list[Remark] = []
    for row in rows:
        amount = money(row.amount)
        if amount and row.wallet_id in wallets:
            sound.append(row)
        elif row.is_successful:
            kind = Oddity.NO_WALLET if amount else Oddity.NOT_BOOKABLE
            remarks.append(_about(kind, row, amount, f"its amount is {row.amount}"))
    return sound, remarks


def _sides(rows: Sequence[OldRow]) -> tuple[list[OldRow], list[OldRow]]:
    """Tell the first row of each side of an order from those that repeat it, which it can't hold too."""
    seen: set[tuple[int | None, bool]] = set()
    firsts, repeats = [], []
    for row in rows:
        side = (row.wallet_id, row.amount > 0)
        if row.is_successful and side in seen:
            repeats.append(row)
            continue
        if row.is_successful:
            seen.add(side)
        firsts.append(row)
    return firsts, repeats


def _booked(order: OldOrder, stored: TakenOrder, rows: Sequence[OldRow], wallets: Mapping[int, OldWallet]) -> Taken:
    """Book the successful rows of an order: two that sum to zero settle it."""
    completed = order.order_status is OrderStatus.COMPLETED
    if not rows:
        detail = "it is COMPLETED, and no money moved"
        remark = Remark(kind=Oddity.NO_ROWS, order_id=order.id, amount=stored.amount, detail=detail)
        return Taken(remarks=[remark] if completed else [])
    legs = [Posting(_account(row, wallets, has_reference=order.has_reference), _rounded(row)) for row in rows]
    if completed and _is_pair(rows):
        return _settled(order, stored, rows, legs)
    kind = Oddity.NO_PARTNER if completed else Oddity.NOT_COMPLETED
    detail = f"one of {len(rows)} rows of a {order.order_status} order"
    return Taken(
        entries=[
            _opening(f"take-over:transaction:{row.id}", leg.account, leg.amount, row=row, order_id=order.id)
            for row, leg in zip(rows, legs, strict=True)
        ],
        remarks=[_about(kind, row, leg.amount, detail) for row, leg in zip(rows, legs, strict=True)],
    )


def _is_pair(rows: Sequence[OldRow]) -> bool:
    return (
        len(rows) == 2
        and rows[0].wallet_id != rows[1].wallet_id
        and abs(rows[0].amount + rows[1].amount) < _REMAINDER
        and rows[0].amount * rows[1].amount < 0
    )


def _settled(order: OldOrder, stored: TakenOrder, rows: Sequence[OldRow], legs: Sequence[Posting]) -> Taken:
    remarks = []
    postings = sorted(legs, key=lambda leg: leg.amount < 0)
    if remainder := sum((leg.amount for leg in legs), Decimal(0)):
        postings.append(Posting(OPENING, -remainder))
        detail = "its two rows don't sum to zero when they are rounded"
        remarks.append(Remark(kind=Oddity.ROUNDING, order_id=order.id, amount=remainder, detail=detail))
    received = next(row for row in rows if row.amount > 0)
    if received.wallet_id != stored.receiver_wallet_id or _rounded(received) != stored.amount:
        detail = f"it says {plain(stored.amount)} to wallet {stored.receiver_wallet_id}"
        remarks.append(_about(Oddity.AMOUNT_DIFFERS, received, _rounded(received), detail))
    entry = Entry(
        key=settlement_key(order.id),
        entry_type=EntryType.ORDER_SETTLEMENT,
        order_id=order.id,
        postings=postings,
        effective_at=received.created_at,
    )
    return Taken(entries=[entry], remarks=remarks)


def _carried(rows: Sequence[OldRow], wallets: Mapping[int, OldWallet], system_wallet_id: int) -> Taken:
    """Give rows without an order one each. The system wallet's are told about and left: it is only a statistic."""
    carriers, entries, remarks = [], [], []
    for row in rows:
        if not row.is_successful or row.wallet_id is None:
            continue
        amount = _rounded(row)
        remarks.append(_about(Oddity.NO_ORDER, row, amount, "no order can hold it"))
        if wallets[row.wallet_id].is_system:
            continue
        reference = f"take-over:transaction:{row.id}"
        carriers.append(
            Carrier(
                reference=reference,
                wallet_id=row.wallet_id,
                system_wallet_id=system_wallet_id,
                amount=amount,
                created_at=row.created_at,
            )
        )
        entries.append(_opening(reference, wallet_account(row.wallet_id), amount, row=row))
    return Taken(carriers=carriers, entries=entries, remarks=remarks)


def _account(row: OldRow, wallets: Mapping[int, OldWallet], *, has_reference: bool) -> str:
    """Name the account of a row's wallet; that of the system wallet by where the money came from [PAY-34]."""
    wallet_id = row.wallet_id or 0  # it has one: _bookable has seen to it
    if not wallets[wallet_id].is_system:
        return wallet_account(wallet_id)
    return gateway_account(PLATFORM_MERCHANT) if has_reference else manual_account()


def _opening(
    key: str, account: str, amount: Decimal, *, row: OldRow | None = None, order_id: int | None = None
) -> Entry:
    return Entry(
        key=key,
        entry_type=EntryType.OPENING_BALANCE,
        order_id=order_id,
        postings=(Posting(account, amount), Posting(OPENING, -amount)),
        effective_at=None if row is None else row.created_at,
    )


def _row(row: OldRow, order_id: int) -> TakenRow:
    amount = _rounded(row)
    before, after = (money(value) for value in (row.balance_before, row.balance_after))
    if before is None or after is None:
        before = after = _UNKNOWN
    elif not row.is_successful:
        after = before
    elif _UNKNOWN not in (before, after) and after != before + amount:
        before = after = _UNKNOWN
    return TakenRow(
        id=row.id,
        order_id=order_id,
        wallet_id=row.wallet_id or 0,
        amount=amount,
        is_successful=row.is_successful,
        balance_before=before,
        balance_after=after,
        created_at=row.created_at,
    )


def _rounded(row: OldRow) -> Decimal:
    return round_half_up(row.amount, _DECIMALS)


def _about(kind: Oddity, row: OldRow, amount: Decimal | None, detail: str) -> Remark:
    return Remark(
        kind=kind, wallet_id=row.wallet_id, order_id=row.order_id, transaction_id=row.id, amount=amount, detail=detail
    )
