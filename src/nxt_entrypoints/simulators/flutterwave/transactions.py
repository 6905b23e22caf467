"""The gateway's memory: every attempt to pay is a transaction of its own."""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

import attrs
import msgspec

from nxt_entrypoints.simulators.http_server import encode_json
from nxt_entrypoints.simulators.state import StateStore

STATUSES = ("successful", "failed", "pending", "cancelled", "voided", "abandoned")
PAYMENT_TYPES = ("card", "bank_transfer", "ussd", "account", "mobilemoney", "opay")
FIRST_ID = 288_200_001
_FEE = Decimal("0.014")
_CENT = Decimal("0.01")
_KIND = "flutterwave"


@attrs.frozen(kw_only=True)
class GivenBack:
    """One refund of a transaction; ``amount`` in major units, ``at`` aware."""

    amount: Decimal
    at: datetime
    comments: str | None = None


@attrs.frozen(kw_only=True)
class Transaction:
    """One attempt to pay.

    Attributes:
        id: the gateway's number, increasing, never used twice.
        merchant: name of the merchant account.
        tx_ref: the merchant's reference; several attempts may share it.
        amount: in major units.
        currency: ISO code.
        status: one of `STATUSES`.
        payment_type: e.g. ``card``.
        created_at: aware, UTC.
        refunds: what was given back so far, oldest first.
    """

    id: int
    merchant: str
    tx_ref: str
    amount: Decimal
    currency: str
    status: str
    payment_type: str
    created_at: datetime
    refunds: tuple[GivenBack, ...] = ()

    @property
    def left(self) -> Decimal:
        """What can still be given back."""
        return self.amount - sum((refund.amount for refund in self.refunds), Decimal(0))

    def given_back(self, amount: Decimal, at: datetime, comments: object) -> "Transaction":
        """Return the transaction with one more refund."""
        said = comments if isinstance(comments, str) else None
        return attrs.evolve(self, refunds=(*self.refunds, GivenBack(amount=amount, at=at, comments=said)))

    def refunds_as_json(self) -> list[dict[str, object]]:
        """Return the members of lists of refunds."""
        return [
            {
                "id": self.id * 100 + place,
                "account_id": 2_508_309,
                "tx_id": self.id,
                "flw_ref": self.flw_ref,
                "amount_refunded": plain(refund.amount),
                "status": "completed",
                "comments": refund.comments,
                "created_at": refund.at.isoformat(),
            }
            for place, refund in enumerate(self.refunds)
        ]

    @property
    def fee(self) -> Decimal:
        """The gateway's fee, which the payer bears."""
        return (self.amount * _FEE).quantize(_CENT, rounding=ROUND_HALF_UP)

    @property
    def flw_ref(self) -> str:
        """The gateway's own reference."""
        return f"FLW{self.id}"

    def as_json(self) -> dict[str, object]:
        """Return the member ``data`` of answers and webhooks; amounts are JSON numbers."""
        return {
            "id": self.id,
            "tx_ref": self.tx_ref,
            "flw_ref": self.flw_ref,
            "device_fingerprint": "N/A",
            "amount": plain(self.amount),
            "currency": self.currency,
            "charged_amount": plain(self.amount + self.fee),
            "app_fee": plain(self.fee),
            "merchant_fee": 0,
            "processor_response": "Approved" if self.status == "successful" else "Declined",
            "auth_model": "PIN",
            "ip": "127.0.0.1",
            "narration": "Simulated payment",
            "status": self.status,
            "payment_type": self.payment_type,
            "created_at": f"{self.created_at:%Y-%m-%dT%H:%M:%S}.{self.created_at.microsecond // 1000:03d}Z",
            "account_id": 2_508_309,
            "amount_settled": plain(self.amount if self.status == "successful" else Decimal(0)),
            "customer": {
                "id": self.id - FIRST_ID + 1,
                "name": "Guest",
                "phone_number": "+2340000000000",
                "email": "guest@example.org",
                "created_at": f"{self.created_at:%Y-%m-%dT%H:%M:%S}.000Z",
            },
        }


def plain(value: Decimal) -> Decimal:
    """Return the same number in plain notation without trailing zeros, e.g. 1000 for 1E+3."""
    text = format(value, "f")
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


class Ledger:
    """All transactions, kept over restarts so that an id never occurs twice.

    Args:
        store: memory between runs.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._by_id: dict[int, Transaction] = {}
        self._by_reference: dict[tuple[str, str], list[int]] = {}
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

    def by_id(self, merchant: str, number: int) -> Transaction | None:
        """Return a merchant's transaction."""
        found = self._by_id.get(number)
        return found if found is not None and found.merchant == merchant else None

    def by_reference(self, merchant: str, tx_ref: str) -> Transaction | None:
        """Return the newest successful attempt under a reference, else the newest attempt."""
        attempts = [self._by_id[number] for number in self._by_reference.get((merchant, tx_ref), ())]
        paid = [attempt for attempt in attempts if attempt.status == "successful"]
        found = paid or attempts
        return found[-1] if found else None

    def of(self, merchant: str, tx_ref: str | None) -> list[Transaction]:
        """Return a merchant's transactions, newest first."""
        if tx_ref is not None:
            return [self._by_id[number] for number in reversed(self._by_reference.get((merchant, tx_ref), []))]
        return [each for each in reversed(self._by_id.values()) if each.merchant == merchant]

    def _index(self, transaction: Transaction) -> None:
        if transaction.id not in self._by_id:
            key = (transaction.merchant, transaction.tx_ref)
            self._by_reference.setdefault(key, []).append(transaction.id)
        self._by_id[transaction.id] = transaction
