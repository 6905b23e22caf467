"""The gateway's webhook: signed with the secret key, delivered again while nobody answers 200."""

import hashlib
import hmac

import attrs

from nxt_entrypoints.simulators.http_server import encode_json
from nxt_entrypoints.simulators.payment_gateway import GatewayFrame
from nxt_entrypoints.simulators.paystack.transactions import GivenBack, Transaction


@attrs.frozen(kw_only=True)
class Merchant:
    """One merchant account.

    Attributes:
        name: ``platform``, or any other name.
        secret_key: bearer of its API calls (``sk_test_…``), and the key of its webhooks' signatures.
        webhook_url: where its events go; empty: nowhere.
    """

    name: str = "platform"
    secret_key: str
    webhook_url: str = ""


class Webhook:
    """Tells the events of one merchant (the real gateway repeats them after 3 minutes, then each hour, for 72 hours).

    Args:
        merchant: where to, and signed with which key.
        frame: of the gateway.
    """

    def __init__(self, merchant: Merchant, frame: GatewayFrame) -> None:
        self._key = merchant.secret_key.encode()
        self._deliveries = frame.deliveries(merchant)

    def paid(self, transaction: Transaction) -> None:
        """Tell in the background that a charge was successful; the gateway tells no other outcome."""
        self._send("charge.success", transaction.as_json())

    def refunded(self, transaction: Transaction, refund: GivenBack) -> None:
        """Tell in the background how far a refund is."""
        data: dict[str, object] = {
            "status": refund.status,
            "transaction_reference": transaction.reference,
            "refund_reference": str(refund.id) if refund.status == "processed" else None,
            "amount": str(refund.amount),
            "currency": transaction.currency,
            "processor": "simulated",
            "integration": 412_829,
            "domain": "test",
        }
        self._send(f"refund.{refund.status}", data)

    def _send(self, event: str, data: dict[str, object]) -> None:
        body = encode_json({"event": event, "data": data})
        signature = {"x-paystack-signature": hmac.new(self._key, body, hashlib.sha512).hexdigest()}
        self._deliveries.start(body, headers=signature, event=event)
