"""Asking Paystack what became of a payment, charging by USSD, and giving a payment back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import stamina

from nxt_adapters.paystack.answers import read_refund, read_refunds, read_to_dial, read_transaction
from nxt_adapters.paystack.wire import to_minor, to_wire
from nxt_adapters.resilience import (
    CallFailed,
    CallPolicy,
    CircuitOpen,
    FateUnknown,
    HttpCaller,
    HttpFailed,
    HttpReply,
    NotReached,
    Overloaded,
    RetryPolicy,
)
from nxt_domain.orders.gateway import GatewayTransaction
from nxt_domain.orders.ports import ChargeRefused, GatewayFailed, RefundRefused, UnknownPayment
from nxt_domain.orders.suspense import Refund
from nxt_domain.orders.ussd import UssdCharge

SYSTEM: Final = "paystack"
LIVE_API: Final = "https://api.paystack.co"
DEFAULT_POLICY: Final = CallPolicy(
    timeout_s=35.0,
    connect_timeout_s=5.0,
    concurrency=16,
    retry=RetryPolicy(attempts=4, wait_initial_s=1.0, wait_max_s=9.0, jitter_s=0.5),
)
"""As the specification sets them for its gateway [PAY-60]; the first pause is tripled each time: 1 s, 3 s, 9 s."""

_PAUSE_GROWTH = 3.0
_MOST_PAGES = 50
_PAGE = "100"
_ONCE = RetryPolicy(attempts=1)
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
        self._headers = {"Authorization": f"Bearer {secret_key}"}
        self._caller = caller
        self._fallback_email = fallback_email

    async def verify_by_reference(self, reference: str) -> GatewayTransaction:
        """Read the transaction under a reference; see ``PaymentGateway``."""
        if not reference:
            raise UnknownPayment("A payment has a reference")
        return await self._read("verify_by_reference", f"/transaction/verify/{to_wire(reference)}")

    async def verify_by_id(self, gateway_tx_id: str) -> GatewayTransaction:
        """Read a transaction by its id; see ``PaymentGateway``."""
        return await self._read("verify_by_id", f"/transaction/{_number(gateway_tx_id)}")

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
        return read_to_dial(await self._post("charge", "/charge", body))

    async def refund(self, gateway_tx_id: str, amount: Decimal, *, comment: str) -> Refund:
        """Give a payment back, asking once; see ``PaymentGateway``."""
        try:
            minor = to_minor(amount)
        except ValueError as too_fine:
            raise RefundRefused(str(too_fine)) from too_fine
        body = {"transaction": _number(gateway_tx_id), "amount": minor, "merchant_note": comment}
        return read_refund(await self._post("refund", "/refund", body))

    async def refunds_of(self, gateway_tx_id: str) -> Sequence[Refund]:
        """List the refunds of a transaction; see ``PaymentGateway``."""
        wanted = _number(gateway_tx_id)
        found: list[Refund] = []
        for page in range(1, _MOST_PAGES + 1):
            refunds, is_last = read_refunds(await self._refunds_page(wanted, page))
            found += [refund for refund in refunds if refund.gateway_tx_id == wanted]
            if is_last:
                return sorted(found, key=lambda refund: (len(refund.id), refund.id))
        raise GatewayFailed("The payment gateway lists more refunds than can be looked through")

    async def _post(self, operation: str, path: str, body: Mapping[str, object]) -> HttpReply:
        """Ask for something that must not be repeated blindly."""
        try:
            return await self._caller.request(
                operation, "POST", f"{self._base_url}{path}", json=body, headers=self._headers, retry=_ONCE
            )
        except CallFailed as failed:
            raise _unanswered(failed) from failed

    async def _refunds_page(self, gateway_tx_id: str, page: int) -> HttpReply:
        params = {"transaction": gateway_tx_id, "perPage": _PAGE, "page": str(page)}
        try:
            return await self._caller.request(
                "refunds", "GET", f"{self._base_url}/refund", params=params, headers=self._headers, repeatable=True
            )
        except CallFailed as failed:
            raise _unanswered(failed) from failed

    async def _read(self, operation: str, path: str) -> GatewayTransaction:
        rule = self._caller.guard.policy.retry
        turns = stamina.retry_context(
            on=_may_help,
            attempts=rule.attempts,
            timeout=None,
            wait_initial=rule.wait_initial_s,
            wait_max=rule.wait_max_s,
            wait_jitter=rule.jitter_s,
            wait_exp_base=_PAUSE_GROWTH,
        )
        try:
            async for turn in turns:
                with turn:
                    return read_transaction(await self._ask(operation, path))
        except CallFailed as failed:
            raise _unanswered(failed) from failed
        raise AssertionError("the retry loop ends by a result or an error")

    async def _ask(self, operation: str, path: str) -> HttpReply:
        url = f"{self._base_url}{path}"
        return await self._caller.request(operation, "GET", url, headers=self._headers, retry=_ONCE)


def _unanswered(failed: CallFailed) -> GatewayFailed:
    return GatewayFailed(f"The payment gateway could not be asked: {failed.message}")


def _number(gateway_tx_id: str) -> str:
    # The id may come from a webhook's body: nothing but digits becomes part of an address.
    if not (gateway_tx_id.isascii() and gateway_tx_id.isdigit()):
        raise UnknownPayment("The gateway's ids are numbers")
    return gateway_tx_id


def _may_help(error: Exception) -> bool:
    """Repeat after network errors, 429 and 5xx; a circuit that is open is left alone."""
    is_trouble = isinstance(error, NotReached | FateUnknown | HttpFailed)
    return is_trouble and not isinstance(error, CircuitOpen | Overloaded)
