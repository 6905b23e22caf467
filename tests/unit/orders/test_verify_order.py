"""The verify route's answers, word for word [PAY-59]."""

from __future__ import annotations

import attrs
import pytest
from tests.support.payments_memory import MemoryWorld

from nxt_domain.orders.gateway import PaymentState
from nxt_domain.orders.gateway_ports import GatewayFailed
from nxt_domain.orders.model import Order
from nxt_domain.orders.notices import Contact
from nxt_domain.orders.states import OrderStatus
from nxt_domain.orders.use_cases.public_orders import CancelPublicOrder
from nxt_domain.orders.use_cases.verify_order import VerificationFailed, VerifyOrder
from nxt_domain.shared.errors import DomainError, NotFound, Unprocessable


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


def verify(world: MemoryWorld) -> VerifyOrder:
    return VerifyOrder(begin=world.begin, verification=world.verification)


async def refusal(world: MemoryWorld, order: Order) -> DomainError:
    with pytest.raises(DomainError) as refused:
        await verify(world)(external_reference=order.external_reference)
    return refused.value


async def test_success(world: MemoryWorld) -> None:
    """[PAY-59] paid: PENDING at once; asked again: the same answer, without asking the gateway."""
    order = await world.buy()
    world.pay(order)
    assert await verify(world)(order_id=order.id) == order.id
    assert (await world.order(order.id)).status is OrderStatus.PENDING
    world.accounts.platform.failure = GatewayFailed("down")
    assert await verify(world)(999_999, order.external_reference) == order.id, "the reference is used if both are given"


async def test_neither_field(world: MemoryWorld) -> None:
    """[PAY-59]"""
    with pytest.raises(Unprocessable) as refused:
        await verify(world)(None, "")
    assert refused.value.message == "We need an order id or an external reference to verify a Flutterwave transaction"


async def test_unknown_orders(world: MemoryWorld) -> None:
    """[PAY-59]"""
    with pytest.raises(NotFound, match=r"^Order with external reference nothing not found$"):
        await verify(world)(external_reference="nothing")
    with pytest.raises(NotFound, match=r"^Order with id 5 not found$"):
        await verify(world)(5)
    with pytest.raises(NotFound):
        await verify(world)(external_reference="a\0b")


async def test_orders_that_cannot_be_verified(world: MemoryWorld) -> None:
    """[PAY-59] set aside, finally failed, or without reference."""
    order = await world.buy()
    async with world.begin() as tx:
        await tx.orders.save([order.set_aside()])
        await tx.commit()
    refused = await refusal(world, order)
    assert isinstance(refused, VerificationFailed)
    ref = order.external_reference
    assert refused.message == f"FW transaction for ref: {ref} is in IGNORED, so it cannot be verified"
    mismatched = await world.buy("500")
    world.pay(mismatched, amount="400")
    await refusal(world, mismatched)
    assert "is in FAILED, so it cannot be verified" in (await refusal(world, mismatched)).message


async def test_the_gateway_does_not_know_it(world: MemoryWorld) -> None:
    """[PAY-59] 404, order unchanged."""
    order = await world.buy()
    refused = await refusal(world, order)
    assert isinstance(refused, NotFound)
    assert refused.message == f"Could not find corresponding FW transaction for tx ref: {order.external_reference}"
    assert (await world.order(order.id)).status is OrderStatus.INITIALISED


async def test_the_gateway_cannot_be_asked(world: MemoryWorld) -> None:
    """[PAY-59] [PAY-130] nothing is concluded from silence."""
    order = await world.buy()
    world.accounts.platform.failure = GatewayFailed("down")
    refused = await refusal(world, order)
    text = f"We received an error when trying to verify order with reference: {order.external_reference}"
    assert (refused.message, refused.code) == (text, "GATEWAY_FAILED")
    assert (await world.order(order.id)).status is OrderStatus.INITIALISED


async def test_not_successful(world: MemoryWorld) -> None:
    """[PAY-59] [PAY-62] refused and undecided."""
    order = await world.buy()
    world.pay(order, status="processing", state=PaymentState.UNDECIDED)
    assert (await refusal(world, order)).message == (
        f"The order with tx ref {order.external_reference} came back as processing during verification"
    )
    assert (await world.order(order.id)).status is OrderStatus.INITIALISED
    world.refuse(order)
    assert (await refusal(world, order)).message == (
        f"The order with tx ref {order.external_reference} came back as failed during verification"
    )
    assert (await world.order(order.id)).status is OrderStatus.FAILED


async def test_mismatches(world: MemoryWorld) -> None:
    """[PAY-59]"""
    order = await world.buy()
    world.pay(order, amount="999.99")
    assert (await refusal(world, order)).message == (
        f"Mismatching amount for order with tx ref {order.external_reference}"
    )
    order = await world.buy()
    world.pay(order, tx_id="2", currency="GHS")
    assert (await refusal(world, order)).message == (
        f"Mismatching currency for order with tx ref {order.external_reference}"
    )
    assert (await world.alerts()).count("PAYMENT_IN_SUSPENSE") == 2


async def test_cancelled_orders_are_verified_too(world: MemoryWorld) -> None:
    """[PAY-45] [PAY-59] T4 by the verify route."""
    order = await world.buy()
    await CancelPublicOrder(begin=world.begin)(order.id)
    world.pay(order)
    assert await verify(world)(order.id) == order.id


async def test_a_refused_phone_purchase_tells_the_caller(world: MemoryWorld) -> None:
    """[PAY-78] one SMS to the session's phone."""
    order = await world.buy()
    async with world.begin() as tx:
        tx.orders.know_session(3, Contact(account_id=None, phone="+2348030000099"))
        await tx.orders.save([attrs.evolve(order, ussd_session_id=3)])
        await tx.commit()
    world.refuse(order)
    await refusal(world, order)
    await refusal(world, order)
    assert await world.messages() == ["+2348030000099: Your bank rejected the payment"]
