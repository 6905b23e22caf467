"""Reading Flutterwave's answers: transactions [PAY-61 … PAY-63] and refunds [PAY-92]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
import structlog

from nxt_adapters.resilience import HttpReply
from nxt_domain.orders.gateway import GatewayTransaction, PaymentState
from nxt_domain.orders.gateway_ports import (
    ChargeRefused,
    GatewayFailed,
    GatewayRefusedCredentials,
    RefundRefused,
    UnknownPayment,
)
from nxt_domain.orders.model import PaymentMethod
from nxt_domain.orders.suspense import Refund, RefundState

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
_REFUND_STATES = {
    "completed": RefundState.DONE,
    "successful": RefundState.DONE,
    "failed": RefundState.REFUSED,
    "declined": RefundState.REFUSED,
}
_log = structlog.get_logger(__name__)


def read_transaction(reply: HttpReply) -> GatewayTransaction:
    """Read an answer of the verify call [PAY-61].

    Raises:
        GatewayRefusedCredentials: 401 or 403.
        UnknownPayment: 400 or 404 with an error body, or no data.
        GatewayFailed: Anything that is no answer to our question.
    """
    _check_key(reply)
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


def read_refund(reply: HttpReply) -> Refund:
    """Read the answer of the refund call.

    Raises:
        GatewayRefusedCredentials: 401 or 403.
        RefundRefused: Any other 4xx: the gateway says no.
        GatewayFailed: Anything that is no answer to our question.
    """
    _check_key(reply)
    body = _decode(reply)
    if 400 <= reply.status < 500:
        raise RefundRefused(_optional_text(body, "message") or "The payment gateway refuses the refund")
    data = body.get("data")
    if reply.status != 200 or body.get("status") != "success" or not isinstance(data, Mapping):
        raise GatewayFailed(f"The payment gateway answered HTTP {reply.status}")
    return _refund(data)


def read_ussd_note(reply: HttpReply) -> str:
    """Read what to dial from the answer of a USSD charge [PAY-64].

    Raises:
        GatewayRefusedCredentials: 401 or 403.
        ChargeRefused: Any other 4xx, or a success with nothing to dial: nobody can pay by it.
        GatewayFailed: Anything that is no answer to our question.
    """
    _check_key(reply)
    body = _decode(reply)
    if 400 <= reply.status < 500:
        raise ChargeRefused(_optional_text(body, "message") or "The payment gateway refuses the charge")
    if reply.status != 200:
        raise GatewayFailed(f"The payment gateway answered HTTP {reply.status}")
    authorization = _inner(_inner(body, "meta"), "authorization")
    note = _optional_text(authorization, "note")
    is_made = body.get("status") == "success" and body.get("data") is not None
    if not is_made or _optional_text(authorization, "mode") != "ussd" or not note:
        raise ChargeRefused("The payment gateway gave nothing to dial")
    return note


def _inner(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    return value if isinstance(value, Mapping) else {}


def read_refunds(reply: HttpReply) -> tuple[Sequence[Refund], bool]:
    """Read a page of the list of refunds; the second value tells whether it is the last one.

    Raises:
        GatewayRefusedCredentials: 401 or 403.
        GatewayFailed: Anything that is no answer to our question.
    """
    _check_key(reply)
    body = _decode(reply)
    data = body.get("data")
    if reply.status != 200 or body.get("status") != "success" or not isinstance(data, list):
        raise GatewayFailed(f"The payment gateway answered HTTP {reply.status}")
    meta = body.get("meta")
    info = meta.get("page_info") if isinstance(meta, Mapping) else None
    here, last = (info.get("current_page"), info.get("total_pages")) if isinstance(info, Mapping) else (None, None)
    is_last = not data or not (isinstance(here, int) and isinstance(last, int) and here < last)
    return [_refund(each) for each in data if isinstance(each, Mapping)], is_last


def _refund(data: Mapping[str, Any]) -> Refund:
    status = _required_text(data, "status")
    amount = _amount(data, "amount_refunded")
    if amount is None or amount <= 0:
        raise GatewayFailed("The payment gateway named no refunded amount")
    return Refund(
        id=_id(data.get("id")),
        gateway_tx_id=_id(data.get("tx_id")),
        amount=amount,
        state=_REFUND_STATES.get(status.lower(), RefundState.UNDER_WAY),
        status=status,
        created_at=_instant(data.get("created_at")),
    )


def _instant(value: object) -> datetime | None:
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return instant if instant is not None and instant.tzinfo is not None else None


def _check_key(reply: HttpReply) -> None:
    if reply.status in {401, 403}:
        raise GatewayRefusedCredentials("The payment gateway does not accept our key")


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
