"""The gateway's webhook: both body forms, delivered again while nobody answers 200 [PAY-69, PAY-70]."""

import asyncio

import attrs

from nxt_entrypoints.simulators.control import ControlPlane
from nxt_entrypoints.simulators.flutterwave.transactions import Transaction, plain
from nxt_entrypoints.simulators.http_server import encode_json
from nxt_entrypoints.simulators.webhooks import Poster, Tasks

FORMS = ("current", "flat")
_LATE_S = 20.0
_EVENT_TYPES = {
    "card": "CARD_TRANSACTION",
    "bank_transfer": "BANK_TRANSFER_TRANSACTION",
    "ussd": "USSD_TRANSACTION",
}


@attrs.frozen(kw_only=True)
class Merchant:
    """One merchant account.

    Attributes:
        name: ``platform``, or any name for an organization's own account.
        secret_key: bearer of its API calls (``FLWSECK_TEST-…``).
        webhook_url: where its events go; empty: nowhere.
        webhook_secret: sent verbatim in ``verif-hash``.
    """

    name: str = "platform"
    secret_key: str
    webhook_url: str = ""
    webhook_secret: str = ""


class Webhook:
    """Delivers the events of one merchant.

    Args:
        merchant: where to and with which hash.
        control: faults and log.
        tasks: where deliveries run.
        retries: deliveries after the first one, while the answer isn't 200.
        retry_s: seconds between deliveries (the real gateway takes 30 minutes).
        pace: divisor of the lateness of reordered events.
    """

    def __init__(
        self,
        merchant: Merchant,
        control: ControlPlane,
        tasks: Tasks,
        *,
        retries: int,
        retry_s: float,
        pace: float,
    ) -> None:
        self._merchant = merchant
        self._control = control
        self._tasks = tasks
        self._retries = retries
        self._retry_s = retry_s
        self._poster = Poster(
            control, merchant.webhook_url, {"verif-hash": merchant.webhook_secret}, pace=pace, timeout_s=60.0
        )

    def send(self, transaction: Transaction, form: str) -> None:
        """Deliver an event in the background."""
        body = encode_json(_BODIES[form](transaction))
        self._tasks.start(self._deliver(transaction, body), f"webhook {transaction.id}")

    async def _deliver(self, transaction: Transaction, body: bytes) -> None:
        await self._poster.linger(_LATE_S)
        for attempt in range(1 + self._retries):
            await self._control.until_up()
            if self._control.hits(self._control.faults.loss_rate):
                self._control.log.add("webhook", id=transaction.id, attempt=attempt, status="lost")
                return
            status = await self._poster.post_for_status(body, content_type="application/json")
            self._control.log.add("webhook", id=transaction.id, attempt=attempt, status=status)
            if status == 200:
                return
            await asyncio.sleep(self._retry_s)

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()


def _current(transaction: Transaction) -> dict[str, object]:
    data = transaction.as_json()
    if transaction.payment_type == "card":
        data["card"] = {
            "first_6digits": "553188",
            "last_4digits": "2950",
            "issuer": "Simulated bank",
            "country": "NG",
            "type": "MASTERCARD",
            "expiry": "09/32",
        }
    return {"event": "charge.completed", "data": data, "event.type": _event_type(transaction)}


def _flat(transaction: Transaction) -> dict[str, object]:
    return {
        "id": transaction.id,
        "txRef": transaction.tx_ref,
        "flwRef": transaction.flw_ref,
        "orderRef": f"URF_{transaction.id}",
        "amount": plain(transaction.amount),
        "charged_amount": plain(transaction.amount + transaction.fee),
        "status": transaction.status,
        "currency": transaction.currency,
        "appfee": plain(transaction.fee),
        "merchantfee": 0,
        "customer": {"id": 1, "phone": None, "fullName": "Guest", "email": "guest@example.org"},
        "entity": {"card6": "553188", "card_last4": "2950"},
        "event.type": _event_type(transaction),
    }


def _event_type(transaction: Transaction) -> str:
    return _EVENT_TYPES.get(transaction.payment_type, f"{transaction.payment_type.upper()}_TRANSACTION")


_BODIES = {"current": _current, "flat": _flat}
