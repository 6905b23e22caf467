"""Asking Paystack what became of a payment, charging by USSD, and giving a payment back."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from nxt_adapters.paystack.answers import read_refund, read_refunds, read_to_dial, read_transaction
from nxt_adapters.paystack.wire import to_minor, to_wire
from nxt_adapters.resilience import HttpCaller
from nxt_adapters.resilience.gateway_calls import GATEWAY_POLICY, GatewayCalls, all_refunds, transaction_number
from nxt_domain.orders.gateway import GatewayTransaction
from nxt_domain.orders.gateway_ports import ChargeRefused, RefundRefused, UnknownPayment
from nxt_domain.orders.suspense import Refund
from nxt_domain.orders.ussd import UssdCharge

SYSTEM: Final = "paystack"
LIVE_API: Final = "https://api.paystack.co"
DEFAULT_POLICY: Final = GATEWAY_POLICY
"""As the specification sets them for its gateway [PAY-60]."""

_PAGE = "100"
_MENUS = {"058": "737", "033": "919", "232": "822", "057": "966"}
"""Banks whose menus take payments, by the code they have in ``banks`` [PAY-66]: GTBank, UBA, Sterling, Zenith."""


class PaystackGateway:
    """One merchant account. Implements ``PaymentGateway``.

    Args:
        base_url: ``PAYSTACK_API``, e.g. ``https://api.paystack.co``.
        secret_key: Of the merchant account.
        caller: Its policy's retries are made here.
        fallback_email: Sent with USSD charges, whose buyers have none.
    """

    def __init__(self, *, base_url: str, secret_key: str, caller: HttpCaller, fallback_email: str = "") -> None:
        self._base_url = base_url.rstrip("/")
        self._calls = GatewayCalls(caller, secret_key)
        self._fallback_email = fallback_email

    async def verify_by_reference(self, reference: str) -> GatewayTransaction:
        """Read the transaction under a reference; see ``PaymentGateway``."""
        if not reference:
            raise UnknownPayment("A payment has a reference")
        url = f"{self._base_url}/transaction/verify/{to_wire(reference)}"
        return await self._calls.read("verify_by_reference", url, read_transaction)

    async def verify_by_id(self, gateway_tx_id: str) -> GatewayTransaction:
        """Read a transaction by its id; see ``PaymentGateway``."""
        url = f"{self._base_url}/transaction/{transaction_number(gateway_tx_id)}"
        return await self._calls.read("verify_by_id", url, read_transaction)

    async def charge_by_ussd(self, charge: UssdCharge) -> str:
        """Charge a bank account, asking once; see ``PaymentGateway``."""
        menu = _MENUS.get(charge.bank_code)
        if menu is None:
            raise ChargeRefused("The payment gateway does not reach this bank by phone")
        try:
            amount = to_minor(charge.amount)
        except ValueError as too_fine:
            raise ChargeRefused(str(too_fine)) from too_fine
        body = {
            "reference": to_wire(charge.reference),
            "ussd": {"type": menu},
            "amount": amount,
            "currency": charge.currency.value,
            "email": self._fallback_email,
            "metadata": {
                "phone_number": charge.phone,
                "organization": charge.meter.organization_name,
                "grid": charge.meter.grid_name,
                "customer_full_name": charge.meter.customer_name,
                "meter_external_reference": charge.meter.external_reference,
                "type": "meter_topup",
            },
        }
        return read_to_dial(await self._calls.post("charge", f"{self._base_url}/charge", body))

    async def refund(self, gateway_tx_id: str, amount: Decimal, *, comment: str) -> Refund:
        """Give a payment back, asking once; see ``PaymentGateway``."""
        try:
            minor = to_minor(amount)
        except ValueError as too_fine:
            raise RefundRefused(str(too_fine)) from too_fine
        body = {"transaction": transaction_number(gateway_tx_id), "amount": minor, "merchant_note": comment}
        return read_refund(await self._calls.post("refund", f"{self._base_url}/refund", body))

    async def refunds_of(self, gateway_tx_id: str) -> Sequence[Refund]:
        """List the refunds of a transaction; see ``PaymentGateway``."""
        wanted = transaction_number(gateway_tx_id)

        async def page_of(page: int) -> tuple[Sequence[Refund], bool]:
            params = {"transaction": wanted, "perPage": _PAGE, "page": str(page)}
            return read_refunds(await self._calls.page("refunds", f"{self._base_url}/refund", params))

        return await all_refunds(wanted, page_of)
