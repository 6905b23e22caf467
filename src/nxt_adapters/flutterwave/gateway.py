"""Asking the gateway what became of a payment, and giving one back [PAY-60 … PAY-63, PAY-92]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import stamina

from nxt_adapters.flutterwave.answers import read_refund, read_refunds, read_transaction, read_ussd_note
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
from nxt_domain.orders.ports import GatewayFailed, UnknownPayment
from nxt_domain.orders.suspense import Refund
from nxt_domain.orders.ussd import UssdCharge
from nxt_domain.shared.money import plain

SYSTEM: Final = "flutterwave"
LIVE_API: Final = "https://api.flutterwave.com/v3"
DEFAULT_POLICY: Final = CallPolicy(
    timeout_s=35.0,
    connect_timeout_s=5.0,
    concurrency=16,
    retry=RetryPolicy(attempts=4, wait_initial_s=1.0, wait_max_s=9.0, jitter_s=0.5),
)
"""Time-outs of PAY-60; the first pause is tripled each time: 1 s, 3 s, 9 s."""

_PAUSE_GROWTH = 3.0
_MOST_PAGES = 50


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
        self._headers = {"Authorization": f"Bearer {secret_key}"}
        self._caller = caller
        self._fallback_email = fallback_email

    async def verify_by_reference(self, reference: str) -> GatewayTransaction:
        """Read the transaction under a reference; see ``PaymentGateway``."""
        url = f"{self._base_url}/transactions/verify_by_reference"
        return await self._read("verify_by_reference", url, {"tx_ref": reference})

    async def verify_by_id(self, gateway_tx_id: str) -> GatewayTransaction:
        """Read a transaction by its id; see ``PaymentGateway``."""
        url = f"{self._base_url}/transactions/{_number(gateway_tx_id)}/verify"
        return await self._read("verify_by_id", url, None)

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
        reply = await self._post("charge", f"{self._base_url}/charges", body, params={"type": "ussd"})
        return read_ussd_note(reply)

    async def refund(self, gateway_tx_id: str, amount: Decimal, *, comment: str) -> Refund:
        """Give a payment back, asking once; see ``PaymentGateway``."""
        url = f"{self._base_url}/transactions/{_number(gateway_tx_id)}/refund"
        return read_refund(await self._post("refund", url, {"amount": amount, "comments": comment}))

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

    async def _post(
        self, operation: str, url: str, body: Mapping[str, object], params: Mapping[str, str] | None = None
    ) -> HttpReply:
        """Ask for something that must not be repeated blindly [PAY-60]."""
        once = RetryPolicy(attempts=1)
        try:
            return await self._caller.request(
                operation, "POST", url, json=body, params=params, headers=self._headers, retry=once
            )
        except CallFailed as failed:
            raise GatewayFailed(f"The payment gateway could not be asked: {failed.message}") from failed

    async def _refunds_page(self, gateway_tx_id: str, page: int) -> HttpReply:
        params = {"tx_id": gateway_tx_id, "page": str(page)}
        try:
            return await self._caller.request(
                "refunds", "GET", f"{self._base_url}/refunds", params=params, headers=self._headers, repeatable=True
            )
        except CallFailed as failed:
            raise GatewayFailed(f"The payment gateway could not be asked: {failed.message}") from failed

    async def _read(self, operation: str, url: str, params: Mapping[str, str] | None) -> GatewayTransaction:
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
                    return read_transaction(await self._ask(operation, url, params))
        except CallFailed as failed:
            raise GatewayFailed(f"The payment gateway could not be asked: {failed.message}") from failed
        raise AssertionError("the retry loop ends by a result or an error")

    async def _ask(self, operation: str, url: str, params: Mapping[str, str] | None) -> HttpReply:
        once = RetryPolicy(attempts=1)
        return await self._caller.request(operation, "GET", url, params=params, headers=self._headers, retry=once)


def _number(gateway_tx_id: str) -> str:
    # The id may come from a webhook's body: nothing but digits becomes part of an address.
    if not (gateway_tx_id.isascii() and gateway_tx_id.isdigit()):
        raise UnknownPayment("The gateway's ids are numbers")
    return gateway_tx_id


def _may_help(error: Exception) -> bool:
    """Repeat after network errors, 429 and 5xx; a circuit that is open is left alone [PAY-60]."""
    is_trouble = isinstance(error, NotReached | FateUnknown | HttpFailed)
    return is_trouble and not isinstance(error, CircuitOpen | Overloaded)
