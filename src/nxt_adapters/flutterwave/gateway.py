"""Asking the gateway what became of a payment [PAY-60 … PAY-63]."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec
import stamina
import structlog

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
from nxt_domain.orders.gateway import GatewayTransaction, PaymentState
from nxt_domain.orders.model import PaymentMethod
from nxt_domain.orders.ports import GatewayFailed, GatewayRefusedCredentials, UnknownPayment

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
_MOST_DIGITS = 40
_LARGEST = Decimal(10) ** 15
_STATES = {
    "successful": PaymentState.PAID,
    "failed": PaymentState.REFUSED,
    "cancelled": PaymentState.REFUSED,
    "voided": PaymentState.REFUSED,
    "abandoned": PaymentState.REFUSED,
}
_METHODS = {
    "card": PaymentMethod.CREDIT_CARD,
    "bank_transfer": PaymentMethod.BANK_TRANSFER,
    "ussd": PaymentMethod.USSD,
}
_log = structlog.get_logger(__name__)


class FlutterwaveGateway:
    """One merchant account. Implements ``PaymentGateway``.

    Args:
        base_url: ``FLW_API``, e.g. ``https://api.flutterwave.com/v3``.
        secret_key: Of the merchant account.
        caller: Shared by all merchant accounts; its policy's retries are made here.
    """

    def __init__(self, *, base_url: str, secret_key: str, caller: HttpCaller) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {secret_key}"}
        self._caller = caller

    async def verify_by_reference(self, reference: str) -> GatewayTransaction:
        """Read the transaction under a reference; see ``PaymentGateway``."""
        url = f"{self._base_url}/transactions/verify_by_reference"
        return await self._read("verify_by_reference", url, {"tx_ref": reference})

    async def verify_by_id(self, gateway_tx_id: str) -> GatewayTransaction:
        """Read a transaction by its id; see ``PaymentGateway``."""
        # The id may come from a webhook's body: nothing but digits becomes part of an address.
        if not (gateway_tx_id.isascii() and gateway_tx_id.isdigit()):
            raise UnknownPayment("The gateway's ids are numbers")
        return await self._read("verify_by_id", f"{self._base_url}/transactions/{gateway_tx_id}/verify", None)

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
                    return _transaction(await self._ask(operation, url, params))
        except CallFailed as failed:
            raise GatewayFailed(f"The payment gateway could not be asked: {failed.message}") from failed
        raise AssertionError("the retry loop ends by a result or an error")

    async def _ask(self, operation: str, url: str, params: Mapping[str, str] | None) -> HttpReply:
        once = RetryPolicy(attempts=1)
        return await self._caller.request(operation, "GET", url, params=params, headers=self._headers, retry=once)


def _may_help(error: Exception) -> bool:
    """Repeat after network errors, 429 and 5xx; a circuit that is open is left alone [PAY-60]."""
    is_trouble = isinstance(error, NotReached | FateUnknown | HttpFailed)
    return is_trouble and not isinstance(error, CircuitOpen | Overloaded)


def _transaction(reply: HttpReply) -> GatewayTransaction:
    """Read an answer of the verify call [PAY-61].

    Raises:
        GatewayRefusedCredentials: 401 or 403.
        UnknownPayment: 400 or 404 with an error body, or no data.
        GatewayFailed: Anything that is no answer to our question.
    """
    if reply.status in {401, 403}:
        raise GatewayRefusedCredentials("The payment gateway does not accept our key")
    body = _decode(reply)
    if reply.status in {400, 404} and body.get("status") == "error":
        raise UnknownPayment("The payment gateway knows no such transaction")
    if reply.status != 200 or body.get("status") != "success":
        raise GatewayFailed(f"The payment gateway answered HTTP {reply.status}")
    data = body.get("data")
    if data is None:
        raise UnknownPayment("The payment gateway knows no such transaction")
    if not isinstance(data, Mapping):
        raise GatewayFailed("The payment gateway answered without a transaction")
    return _read_data(data)


def _read_data(data: Mapping[str, Any]) -> GatewayTransaction:
    status = _required_text(data, "status")
    payment_type = _optional_text(data, "payment_type")
    state = _STATES.get(status, PaymentState.UNDECIDED)
    method = _METHODS.get(payment_type or "")
    if method is None and state is PaymentState.PAID:
        _log.warning("unknown way to pay", payment_type=(payment_type or "")[:40])
    amount = _amount(data, "amount")
    if amount is None or amount < 0:
        raise GatewayFailed("The payment gateway named no amount")
    return GatewayTransaction(
        id=_id(data.get("id")),
        reference=_required_text(data, "tx_ref"),
        state=state,
        status=status,
        amount=amount,
        currency=_required_text(data, "currency"),
        flw_ref=_optional_text(data, "flw_ref"),
        charged_amount=_amount(data, "charged_amount"),
        fee=_amount(data, "app_fee"),
        payment_type=payment_type,
        method=method,
    )


def _decode(reply: HttpReply) -> Mapping[str, Any]:
    try:
        body = _DECODER.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as garbage:
        raise GatewayFailed(f"The payment gateway answered HTTP {reply.status} with no JSON") from garbage
    if not isinstance(body, Mapping):
        raise GatewayFailed("The payment gateway answered with something else than an object")
    return body


def _exact(text: str) -> Decimal:
    """Read a JSON number from its text [PAY-1, R12]; one that is too long to be money is garbage."""
    try:
        number = Decimal(text)
    except InvalidOperation as garbage:
        raise ValueError(text[:_MOST_DIGITS]) from garbage
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or max(number.adjusted(), -exponent) > _MOST_DIGITS:
        raise ValueError("too many digits")
    return number


_DECODER = msgspec.json.Decoder(float_hook=_exact)


def _amount(data: Mapping[str, Any], name: str) -> Decimal | None:
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not -_LARGEST < value < _LARGEST:
        raise GatewayFailed(f"The payment gateway named an impossible {name}")
    return Decimal(value)


def _id(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST:
        return str(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        return value
    raise GatewayFailed("The payment gateway named no id")


def _required_text(data: Mapping[str, Any], name: str) -> str:
    text = _optional_text(data, name)
    if not text:
        raise GatewayFailed(f"The payment gateway named no {name}")
    return text


def _optional_text(data: Mapping[str, Any], name: str) -> str | None:
    value = data.get(name)
    return value.replace("\0", "")[:255] if isinstance(value, str) else None
