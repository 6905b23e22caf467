"""The gateway's webhook: signed with the secret key, delivered again while nobody answers 200."""

import asyncio
import hashlib
import hmac

import attrs

from nxt_entrypoints.simulators.control import ControlPlane
from nxt_entrypoints.simulators.http_server import encode_json
from nxt_entrypoints.simulators.paystack.transactions import GivenBack, Transaction
from nxt_entrypoints.simulators.webhooks import Poster, Tasks

_LATE_S = 20.0


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
    """Delivers the events of one merchant.

    Args:
        merchant: where to, and signed with which key.
        control: faults and log.
        tasks: where deliveries run.
        retries: deliveries after the first one, while the answer isn't 200.
        retry_s: seconds between deliveries (the real gateway takes 3 minutes at first, then an hour, for 72 hours).
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
        self._key = merchant.secret_key.encode()
        self._control = control
        self._tasks = tasks
        self._retries = retries
        self._retry_s = retry_s
        self._poster = Poster(control, merchant.webhook_url, {}, pace=pace, timeout_s=60.0)

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

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()

    def _send(self, event: str, data: dict[str, object]) -> None:
        self._tasks.start(self._deliver(event, encode_json({"event": event, "data": data})), f"webhook {event}")

    async def _deliver(self, event: str, body: bytes) -> None:
        signature = {"x-paystack-signature": hmac.new(self._key, body, hashlib.sha512).hexdigest()}
        await self._poster.linger(_LATE_S)
        for attempt in range(1 + self._retries):
            await self._control.until_up()
            if self._control.hits(self._control.faults.loss_rate):
                self._control.log.add("webhook", event=event, attempt=attempt, status="lost")
                return
            status = await self._poster.post_for_status(body, content_type="application/json", headers=signature)
            self._control.log.add("webhook", event=event, attempt=attempt, status=status)
            if status == 200:
                return
            await asyncio.sleep(self._retry_s)
