"""Reading Paystack's answers: transactions, charges and refunds. Strict: what can't be read is no answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import structlog

from nxt_adapters.paystack.wire import from_wire, to_major
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

_LARGEST_ID = 2**64
_TO_DIAL = re.compile(r"\*[0-9*]{1,60}#")
_STATES = {
    "success": PaymentState.PAID,
    "failed": PaymentState.REFUSED,
    # It was paid, and all of it went back to the payer.
    "reversed": PaymentState.REFUSED,
    # ``abandoned`` is none: the buyer has left the checkout, and may come back to it.
}
_METHODS = {
    "card": PaymentMethod.CREDIT_CARD,
    "bank_transfer": PaymentMethod.BANK_TRANSFER,
    "ussd": PaymentMethod.USSD,
}
_REFUND_STATES = {"processed": RefundState.DONE, "failed": RefundState.REFUSED}
_DECODER = msgspec.json.Decoder(float_hook=str)
"""Amounts are whole numbers; one with a fraction stays text, and is refused as an amount. No float is ever made."""
_log = structlog.get_logger(__name__)


def read_transaction(reply: HttpReply) -> GatewayTransaction:
    """Read an answer of the verify or the fetch call.

    Raises:
        GatewayRefusedCredentials: 401, 403, or the key is called invalid.
        UnknownPayment: 404, or a 400 that says that there is no such transaction.
        GatewayFailed: Anything that is no answer to our question.
    """
    body = _decode(reply)
    if _says_unknown(reply, body):
        raise UnknownPayment("The payment gateway knows no such transaction")
    return _transaction(_data_of(reply, body))


def read_to_dial(reply: HttpReply) -> str:
    """Read what to dial from the answer of a USSD charge [PAY-64].

    Raises:
        GatewayRefusedCredentials: 401, 403, or the key is called invalid.
        ChargeRefused: Any other 4xx, or a success with nothing to dial: nobody can pay by it.
        GatewayFailed: Anything that is no answer; and a reference that was charged before, whose charge may be paid.
    """
    body = _decode(reply)
    message = _text(body, "message")
    if 400 <= reply.status < 500:
        if "duplicate" in message.lower():
            raise GatewayFailed("The payment gateway has charged this reference before")
        raise ChargeRefused(message or "The payment gateway refuses the charge")
    data = _data_of(reply, body)
    to_dial = _text(data, "ussd_code")
    if _text(data, "status") != "pay_offline" or not _TO_DIAL.fullmatch(to_dial):
        raise ChargeRefused("The payment gateway gave nothing to dial")
    return to_dial


def read_refund(reply: HttpReply) -> Refund:
    """Read the answer of the refund call [PAY-92].

    Raises:
        GatewayRefusedCredentials: 401, 403, or the key is called invalid.
        RefundRefused: Any other 4xx: the gateway says no.
        GatewayFailed: Anything that is no answer to our question.
    """
    body = _decode(reply)
    if 400 <= reply.status < 500:
        raise RefundRefused(_text(body, "message") or "The payment gateway refuses the refund")
    return _refund(_data_of(reply, body))


def read_refunds(reply: HttpReply) -> tuple[Sequence[Refund], bool]:
    """Read a page of the list of refunds; the second value tells whether it is the last one.

    Raises:
        GatewayRefusedCredentials: 401, 403, or the key is called invalid.
        GatewayFailed: Anything that is no answer to our question.
    """
    body = _decode(reply)
    data = body.get("data")
    if reply.status != 200 or body.get("status") is not True or not isinstance(data, list):
        raise GatewayFailed(f"The payment gateway answered HTTP {reply.status}")
    meta = _inner(body, "meta")
    here, last = meta.get("page"), meta.get("pageCount")
    is_last = not data or not (isinstance(here, int) and isinstance(last, int) and here < last)
    return [_refund(each) for each in data if isinstance(each, Mapping)], is_last


def _decode(reply: HttpReply) -> Mapping[str, Any]:
    if reply.status in {401, 403}:
        raise GatewayRefusedCredentials("The payment gateway does not accept our key")
    try:
        body = _DECODER.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as garbage:
        raise GatewayFailed(f"The payment gateway answered HTTP {reply.status} with no JSON") from garbage
    if not isinstance(body, Mapping):
        raise GatewayFailed("The payment gateway answered with something else than an object")
    if reply.status == 400 and _text(body, "message").lower() == "invalid key":
        raise GatewayRefusedCredentials("The payment gateway does not accept our key")
    return body


def _says_unknown(reply: HttpReply, body: Mapping[str, Any]) -> bool:
    # A 400 may also be about our request; only one that names the matter tells that there is no payment.
    if body.get("status") is not False:
        return False
    names_it = _text(body, "code") == "transaction_not_found" or "not found" in _text(body, "message").lower()
    return reply.status == 404 or (reply.status == 400 and names_it)


def _data_of(reply: HttpReply, body: Mapping[str, Any]) -> Mapping[str, Any]:
    data = body.get("data")
    if reply.status not in {200, 201} or body.get("status") is not True or not isinstance(data, Mapping):
        raise GatewayFailed(f"The payment gateway answered HTTP {reply.status}")
    return data


def _transaction(data: Mapping[str, Any]) -> GatewayTransaction:
    status, channel = _required(data, "status"), _text(data, "channel") or None
    state = _STATES.get(status, PaymentState.UNDECIDED)
    method = _METHODS.get(channel or "")
    if method is None and state is PaymentState.PAID:
        _log.warning("unknown way to pay", payment_type=(channel or "")[:40])
    charged = _amount(data, "amount")
    return GatewayTransaction(
        id=_id(data.get("id")),
        reference=from_wire(_required(data, "reference")),
        state=state,
        status=status,
        amount=_paid_for(charged, data),
        currency=_required(data, "currency"),
        charged_amount=charged,
        fee=None if data.get("fees") is None else _amount(data, "fees"),
        payment_type=channel,
        method=method,
    )


def _paid_for(charged: Decimal, data: Mapping[str, Any]) -> Decimal:
    """Tell how much of a charge was for the order.

    A payer who bears the fees is charged more than was asked; a partial debit takes less than was asked.
    """
    if data.get("requested_amount") is None:
        return charged
    return min(charged, _amount(data, "requested_amount"))


def _refund(data: Mapping[str, Any]) -> Refund:
    status, amount = _required(data, "status"), _amount(data, "amount")
    if amount == 0:
        raise GatewayFailed("The payment gateway named no refunded amount")
    transaction = data.get("transaction")
    return Refund(
        id=_id(data.get("id")),
        # The refund call tells the whole transaction, the list only its id.
        gateway_tx_id=_id(transaction.get("id") if isinstance(transaction, Mapping) else transaction),
        amount=amount,
        state=_REFUND_STATES.get(status.lower(), RefundState.UNDER_WAY),
        status=status,
        created_at=_instant(_text(data, "createdAt") or _text(data, "created_at")),
    )


def _amount(data: Mapping[str, Any], name: str) -> Decimal:
    try:
        return to_major(data.get(name))
    except ValueError as impossible:
        raise GatewayFailed(f"The payment gateway named an impossible {name}") from impossible


def _id(value: object) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 20 and int(text) < _LARGEST_ID:
        return text
    raise GatewayFailed("The payment gateway named no id")


def _instant(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else None


def _required(data: Mapping[str, Any], name: str) -> str:
    text = _text(data, name)
    if not text:
        raise GatewayFailed(f"The payment gateway named no {name}")
    return text


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return value.replace("\0", "")[:255] if isinstance(value, str) else ""


def _inner(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    return value if isinstance(value, Mapping) else {}
