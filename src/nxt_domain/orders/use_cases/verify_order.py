"""Verifying an order on request, with the answers that existing clients know [PAY-59]."""

from __future__ import annotations

from collections.abc import Callable

from nxt_domain.orders.gateway import Verdict
from nxt_domain.orders.model import Order
from nxt_domain.orders.ports import OrdersTransaction
from nxt_domain.orders.references import is_storable
from nxt_domain.orders.use_cases.verification import PaymentVerification, Reach, Verification, charge_of
from nxt_domain.shared.errors import DomainError, NotFound, Unprocessable


class VerificationFailed(DomainError):
    """The payment could not be confirmed; the edge answers 500, as it always did."""

    default_code = "VERIFICATION_FAILED"


class VerifyOrder:
    """Asks the gateway about an order at once and waits for its word.

    Args:
        begin: Opens a transaction.
        verification: Asks and concludes.
    """

    def __init__(self, *, begin: Callable[[], OrdersTransaction], verification: PaymentVerification) -> None:
        self._begin = begin
        self._verification = verification

    async def __call__(self, order_id: int | None = None, external_reference: str | None = None) -> int:
        """Verify an order, found by its reference if one is given, else by its id.

        Returns:
            The id of the order, which is paid.

        Raises:
            Unprocessable: Neither id nor reference.
            NotFound: The order, or its payment at the gateway, is unknown.
            VerificationFailed: Codes ``NOT_VERIFIABLE``, ``GATEWAY_FAILED``, ``NOT_SUCCESSFUL``, ``AMOUNT_MISMATCH``,
                ``CURRENCY_MISMATCH``.
        """
        reference = external_reference or None
        if order_id is None and reference is None:
            text = "We need an order id or an external reference to verify a Flutterwave transaction"
            raise Unprocessable(text, code="DETAILS_MISSING")
        async with self._begin() as tx:
            is_findable = reference is None or is_storable(reference)
            order = await tx.orders.find(order_id=order_id, reference=reference) if is_findable else None
            if order is None:
                name = f"id {order_id}" if reference is None else f"external reference {reference}"
                raise NotFound(f"Order with {name} not found", code="ORDER_UNKNOWN")
            charge = charge_of(order, await tx.charges.find(order.id))
        if order.is_paid:
            return order.id
        if charge is None or not order.awaits_payment:
            raise _not_verifiable(order)
        return _answer(await self._verification.by_reference(order, charge), charge.reference)


def _answer(verification: Verification, reference: str) -> int:
    order, answer = verification.order, verification.answer
    if order.is_paid:
        return order.id
    if verification.reach is Reach.UNKNOWN:
        text = f"Could not find corresponding FW transaction for tx ref: {reference}"
        raise NotFound(text, code="GATEWAY_TRANSACTION_UNKNOWN")
    if verification.reach is Reach.UNREACHED or answer is None or verification.verdict is Verdict.FOREIGN:
        text = f"We received an error when trying to verify order with reference: {reference}"
        raise VerificationFailed(text, code="GATEWAY_FAILED")
    if verification.verdict is Verdict.AMOUNT_MISMATCH:
        raise VerificationFailed(f"Mismatching amount for order with tx ref {reference}", code="AMOUNT_MISMATCH")
    if verification.verdict is Verdict.CURRENCY_MISMATCH:
        raise VerificationFailed(f"Mismatching currency for order with tx ref {reference}", code="CURRENCY_MISMATCH")
    if verification.verdict is Verdict.UNWANTED_PAYMENT:
        raise _not_verifiable(order)
    text = f"The order with tx ref {reference} came back as {answer.status} during verification"
    raise VerificationFailed(text, code="NOT_SUCCESSFUL")


def _not_verifiable(order: Order) -> VerificationFailed:
    text = f"FW transaction for ref: {order.external_reference} is in {order.status}, so it cannot be verified"
    return VerificationFailed(text, code="NOT_VERIFIABLE")
