"""The gateway's memory: one transaction for each reference, however often the payer tries."""

from datetime import datetime
from typing import Literal, get_args

import attrs
import msgspec

from nxt_entrypoints.simulators.http_server import encode_json
from nxt_entrypoints.simulators.state import StateStore

STATUSES = (
    "success",
    "failed",
    "abandoned",
    "ongoing",
    "pending",
    "processing",
    "queued",
    "reversal-pending",
    "reversed",
)
PAYABLE = frozenset(STATUSES) - {"success", "reversal-pending", "reversed"}
CHANNELS = ("card", "bank", "bank_transfer", "ussd", "qr", "mobile_money", "eft")
FIRST_ID = 4_099_260_001
_KIND = "paystack"

RefundStatus = Literal["pending", "processing", "needs-attention", "processed", "failed"]
REFUND_STATUSES: tuple[RefundStatus, ...] = get_args(RefundStatus)


@attrs.frozen(kw_only=True)
class GivenBack:
    """One refund of a transaction; ``amount`` in minor units, ``at`` aware."""

    id: int
    amount: int
    at: datetime
    status: RefundStatus = "pending"
    merchant_note: str | None = None


@attrs.frozen(kw_only=True)
class Transaction:
    """What a payer owes or has paid under a reference.

    Attributes:
        id: the gateway's number, increasing, never used twice.
        merchant: name of the merchant account.
        reference: the merchant's; there is no second transaction under it.
        requested_amount: what was asked, minor units.
        currency: ISO code.
        status: one of `STATUSES`.
        channel: e.g. ``card``.
        created_at: aware, UTC.
        is_fee_on_payer: whether the fee is charged on top of what was asked.
        attempts: how often the payer tried.
        refunds: what was given back so far, oldest first.
    """

    id: int
    merchant: str
    reference: str
    requested_amount: int
    currency: str
    status: str
    channel: str
    created_at: datetime
    is_fee_on_payer: bool = False
    attempts: int = 0
    refunds: tuple[GivenBack, ...] = ()

    @property
    def fees(self) -> int:
        """The gateway's fee: 1.5 %, and 100.00 from 2500.00 on, at most 2000.00."""
        fixed = 10_000 if self.requested_amount >= 250_000 else 0
        return min((self.requested_amount * 15 + 500) // 1000 + fixed, 200_000)

    @property
    def amount(self) -> int:
        """What the payer is charged."""
        return self.requested_amount + (self.fees if self.is_fee_on_payer else 0)

    @property
    def left(self) -> int:
        """What can still be given back."""
        return self.amount - sum(refund.amount for refund in self.refunds if refund.status != "failed")

    def given_back(self, refund: GivenBack) -> "Transaction":
        """Return the transaction with a refund added, or replaced by its new state."""
        others = tuple(known for known in self.refunds if known.id != refund.id)
        changed = attrs.evolve(self, refunds=(*others, refund))
        if changed.left > 0:
            return attrs.evolve(changed, status="success")
        is_over = all(known.status in {"processed", "failed"} for known in changed.refunds)
        return attrs.evolve(changed, status="reversed" if is_over else "reversal-pending")

    def as_json(self) -> dict[str, object]:
        """Return the member ``data`` of answers and webhooks."""
        made = instant(self.created_at)
        is_paid = self.status not in PAYABLE
        return {
            "id": self.id,
            "domain": "test",
            "status": self.status,
            "reference": self.reference,
            "receipt_number": None,
            "amount": self.amount,
            "message": None,
            "gateway_response": "Successful" if is_paid else "Declined",
            "paid_at": made if is_paid else None,
            "created_at": made,
            "channel": self.channel,
            "currency": self.currency,
            "ip_address": "127.0.0.1",
            "metadata": "",
            "log": {"attempts": self.attempts, "errors": max(0, self.attempts - is_paid), "success": is_paid},
            "fees": self.fees if is_paid else None,
            "fees_split": None,
            "authorization": {},
            "customer": {"id": self.id - FIRST_ID + 1, "email": "guest@example.org", "customer_code": "CUS_simulated"},
            "plan": None,
            "requested_amount": self.requested_amount,
        }

    def refund_as_json(self, refund: GivenBack) -> dict[str, object]:
        """Return a member of lists of refunds."""
        return {
            "id": refund.id,
            "integration": 412_829,
            "domain": "test",
            "transaction": self.id,
            "dispute": None,
            "amount": refund.amount,
            "deducted_amount": refund.amount,
            "fully_deducted": True,
            "currency": self.currency,
            "channel": self.channel,
            "status": refund.status,
            "merchant_note": refund.merchant_note,
            "customer_note": f"Refund for transaction {self.reference}",
            "createdAt": instant(refund.at),
        }


def instant(at: datetime) -> str:
    """Write an instant as the gateway does, in milliseconds."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


class Ledger:
    """All transactions, kept over restarts so that an id never occurs twice.

    Args:
        store: memory between runs.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._by_id: dict[int, Transaction] = {}
        self._by_reference: dict[tuple[str, str], int] = {}
        for body in store.all(_KIND).values():
            self._index(msgspec.json.decode(body, type=Transaction))

    def next_id(self) -> int:
        """Return the id of the next transaction."""
        return FIRST_ID + len(self._by_id)

    def save(self, transaction: Transaction) -> Transaction:
        """Add a transaction, or write its new state."""
        self._store.put(_KIND, {f"{transaction.id:012d}": encode_json(transaction)})
        self._index(transaction)
        return transaction

    def by_reference(self, merchant: str, reference: str) -> Transaction | None:
        """Return a merchant's transaction under a reference."""
        number = self._by_reference.get((merchant, reference))
        return None if number is None else self._by_id[number]

    def by_id(self, merchant: str, text: str) -> Transaction | None:
        """Return a merchant's transaction by its number."""
        found = self._by_id.get(int(text)) if text.isdecimal() and len(text) < 18 else None
        return found if found is not None and found.merchant == merchant else None

    def of(self, merchant: str) -> list[Transaction]:
        """Return a merchant's transactions, newest first."""
        return [each for each in reversed(self._by_id.values()) if each.merchant == merchant]

    def refund(self, number: int) -> tuple[Transaction, GivenBack] | None:
        """Return a refund with its transaction."""
        known = ((each, refund) for each in self._by_id.values() for refund in each.refunds)
        return next(((each, refund) for each, refund in known if refund.id == number), None)

    def _index(self, transaction: Transaction) -> None:
        self._by_reference[transaction.merchant, transaction.reference] = transaction.id
        self._by_id[transaction.id] = transaction
