"""The gateway's webhook: both body forms, delivered again while nobody answers 200 [PAY-69, PAY-70]."""

import attrs

from nxt_entrypoints.simulators.flutterwave.transactions import Transaction, plain
from nxt_entrypoints.simulators.http_server import encode_json
from nxt_entrypoints.simulators.payment_gateway import GatewayFrame

FORMS = ("current", "flat")
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
    """Tells the events of one merchant (the real gateway repeats them after 30 minutes).

    Args:
        merchant: where to and with which hash.
        frame: of the gateway.
    """

    def __init__(self, merchant: Merchant, frame: GatewayFrame) -> None:
        self._deliveries = frame.deliveries(merchant, {"verif-hash": merchant.webhook_secret})

    def send(self, transaction: Transaction, form: str) -> None:
        """Deliver an event in the background."""
        self._deliveries.start(encode_json(_BODIES[form](transaction)), id=transaction.id)


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
