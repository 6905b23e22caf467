"""Asking the gateway what became of a payment, and giving one back [PAY-60 … PAY-63, PAY-92]."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from nxt_adapters.flutterwave.answers import read_refund, read_refunds, read_transaction, read_ussd_note
from nxt_adapters.resilience import HttpCaller
from nxt_adapters.resilience.gateway_calls import GATEWAY_POLICY, GatewayCalls, all_refunds, transaction_number
from nxt_domain.orders.gateway import GatewayTransaction
from nxt_domain.orders.suspense import Refund
from nxt_domain.orders.ussd import UssdCharge
from nxt_domain.shared.money import plain

SYSTEM: Final = "flutterwave"
LIVE_API: Final = "https://api.flutterwave.com/v3"
DEFAULT_POLICY: Final = GATEWAY_POLICY


class FlutterwaveGateway:
    """One merchant account. Implements ``PaymentGateway``.

    Args:
        base_url: ``FLW_API``, e.g. ``https://api.flutterwave.com/v3``.
        secret_key: Of the merchant account.
        caller: Shared by all merchant accounts; its policy's retries are made here.
        fallback_email: Sent with USSD charges, whose buyers have none.
    """

    def __init__(self, *, base_url: str, secret_key: str, caller: HttpCaller, fallback_email: str = "") -> None:
        self._base_url = base_url.rstrip("/")
        self._calls = GatewayCalls(caller, secret_key)
        self._fallback_email = fallback_email

    async def verify_by_reference(self, reference: str) -> GatewayTransaction:
        """Read the transaction under a reference; see ``PaymentGateway``."""
        url = f"{self._base_url}/transactions/verify_by_reference"
        return await self._calls.read("verify_by_reference", url, read_transaction, {"tx_ref": reference})

    async def verify_by_id(self, gateway_tx_id: str) -> GatewayTransaction:
        """Read a transaction by its id; see ``PaymentGateway``."""
        url = f"{self._base_url}/transactions/{transaction_number(gateway_tx_id)}/verify"
        return await self._calls.read("verify_by_id", url, read_transaction)

    async def charge_by_ussd(self, charge: UssdCharge) -> str:
        """Charge a bank account, asking once; see ``PaymentGateway`` [PAY-64]."""
        body = {
            "tx_ref": charge.reference,
            "account_bank": charge.bank_code,
            "amount": plain(charge.amount),
            "currency": charge.currency.value,
            "email": self._fallback_email,
            "phone_number": charge.phone,
            "fullname": "Guest",
            "meta": {
                "organization": charge.meter.organization_name,
                "grid": charge.meter.grid_name,
                "customer_full_name": charge.meter.customer_name,
                "meter_external_reference": charge.meter.external_reference,
                "type": "meter_topup",
            },
        }
        reply = await self._calls.post("charge", f"{self._base_url}/charges", body, params={"type": "ussd"})
        return read_ussd_note(reply)

    async def refund(self, gateway_tx_id: str, amount: Decimal, *, comment: str) -> Refund:
        """Give a payment back, asking once; see ``PaymentGateway``."""
        url = f"{self._base_url}/transactions/{transaction_number(gateway_tx_id)}/refund"
        return read_refund(await self._calls.post("refund", url, {"amount": amount, "comments": comment}))

    async def refunds_of(self, gateway_tx_id: str) -> Sequence[Refund]:
        """List the refunds of a transaction; see ``PaymentGateway``."""
        wanted = transaction_number(gateway_tx_id)

        async def page_of(page: int) -> tuple[Sequence[Refund], bool]:
            params = {"tx_id": wanted, "page": str(page)}
            return read_refunds(await self._calls.page("refunds", f"{self._base_url}/refunds", params))

        return await all_refunds(wanted, page_of)
