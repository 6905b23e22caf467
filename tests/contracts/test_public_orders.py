"""Contract of purchases without a login: placed, watched, given up; over memory and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import attrs
import pytest
from tests.support.payments_stores import STORES, open_world, settle_all, top_up_draft
from tests.support.payments_world import METER, NEW_METER, UNREADY_METER, PaymentsWorld

from nxt_domain.orders.model import PaymentChannel
from nxt_domain.orders.ports import ReferenceTaken
from nxt_domain.orders.states import OrderStatus
from nxt_domain.orders.use_cases.public_orders import CancelPublicOrder, CheckPublicOrder
from nxt_domain.shared.clock import iso_millis
from nxt_domain.shared.errors import InvalidInput, NotAcceptable, NotFound, Unprocessable
from nxt_domain.shared.money import Currency


@pytest.fixture(params=STORES)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[PaymentsWorld]:
    async with open_world(request) as made:
        yield made


async def test_a_public_purchase_is_stored_with_its_record_and_charge(world: PaymentsWorld) -> None:
    """[PAY-53] [PAY-55] [PAY-73] the answer of the initialise route, the order, and its charge due in 2 minutes."""
    order = await world.buy("1000")
    assert order.status is OrderStatus.INITIALISED
    assert order.external_reference == f"Sun_Power_Ltd+{METER}__{iso_millis(world.clock.now())}"
    assert (order.amount, order.payment_channel) == (Decimal(1000), PaymentChannel.NIFFLER)
    assert (order.historical_grid_id, order.organization_id) == (world.grid_id, world.organization_id)
    async with world.begin() as tx:
        charge = await tx.charges.find(order.id)
    assert (charge.merchant, charge.reference) == ("platform", order.external_reference)
    assert charge.next_verify_at == world.clock.now() + timedelta(minutes=2)


async def test_generated_references_that_collide_move_on_by_a_millisecond(world: PaymentsWorld) -> None:
    """[PAY-55] two purchases of one meter at one instant."""
    first, second = await world.buy(), await world.buy()
    assert first.external_reference.endswith(iso_millis(world.clock.now()))
    assert second.external_reference.endswith(iso_millis(world.clock.now() + timedelta(milliseconds=1)))


async def test_orders_are_read_by_reference_and_by_id(world: PaymentsWorld) -> None:
    first, second = await world.buy(), await world.buy()
    async with world.begin() as tx:
        by_reference = await tx.orders.find_all([second.external_reference, "unknown"])
        by_id = await tx.orders.read([second.id, first.id, second.id + 1])
    assert by_reference == {second.external_reference: second}
    assert by_id == {first.id: first, second.id: second}


async def test_a_reference_is_used_once(world: PaymentsWorld) -> None:
    """[REL-64] [PAY-53] an explicit reference that exists is refused, also when two requests race."""
    await world.buy(reference="shop-1")
    with pytest.raises(InvalidInput, match=r"Order with external reference shop-1 already exists\. Please try another"):
        await world.buy(reference="shop-1")
    draft = attrs.evolve(await top_up_draft(world), external_reference="shop-1")
    with pytest.raises(ReferenceTaken):
        async with world.begin() as tx:
            await tx.orders.add([draft])


async def test_what_cannot_be_bought(world: PaymentsWorld) -> None:
    """[REL-53] [PAY-53] [PAY-54] [PAY-20] [MET-17] [MET-48] each refusal in its words."""
    with pytest.raises(NotFound, match=r"^Could not find meter with external reference 00\x00$"):
        await world.buy(meter="00\0")
    with pytest.raises(NotFound, match=r"^Could not find meter with external reference 47009999999$"):
        await world.buy(meter="47009999999")
    with pytest.raises(InvalidInput, match=rf"^Meter {UNREADY_METER} is not successfully installed \(yet\)$"):
        await world.buy(meter=UNREADY_METER)
    with pytest.raises(Unprocessable, match=rf"^Amount is too large for meter {METER}$"):
        await world.buy("3000000.01")
    with pytest.raises(Unprocessable, match=r"^Currency of the order does not match the wallets$"):
        await world.buy(currency=Currency.USD)
    with pytest.raises(InvalidInput, match="amount must have at most 2 decimal places"):
        await world.buy("1.001")
    assert (await world.reconcile()).asked == 0


async def test_a_meter_without_wallet_gets_one(world: PaymentsWorld) -> None:
    """[REL-25] [PAY-19] in the operation that needs it, once."""
    first, second = await world.buy(meter=NEW_METER), await world.buy(meter=NEW_METER)
    assert first.receiver_wallet_id == second.receiver_wallet_id
    world.pay(first)
    await world.webhook(first)
    await settle_all(world)
    assert await world.balance(first.receiver_wallet_id) == Decimal(1000)


async def test_the_pay_page_watches_and_gives_up(world: PaymentsWorld) -> None:
    """[PAY-56] [PAY-57] check and cancel, with their refusals."""
    order = await world.buy()
    check, cancel = CheckPublicOrder(begin=world.begin), CancelPublicOrder(begin=world.begin)
    view = await check(order.id)
    assert (view.status, view.amount, view.directive_status, view.token, view.energy_kwh) == (
        OrderStatus.INITIALISED,
        Decimal(1000),
        None,
        None,
        None,
    )
    with pytest.raises(Unprocessable, match="Can't verify order with provided details"):
        await check(None)
    with pytest.raises(Unprocessable, match="Can't cancel order with provided details"):
        await cancel(None)
    with pytest.raises(NotFound, match="Could not find order with id 999999"):
        await check(999999)
    with pytest.raises(NotFound):
        await cancel(order.id, "somebody-elses")
    assert await cancel(order.id, order.external_reference) is OrderStatus.CANCELLED
    with pytest.raises(NotAcceptable, match="Can't cancel order that is being or has been processed"):
        await cancel(order.id)


async def test_strict_installations_demand_the_reference(world: PaymentsWorld) -> None:
    """[PAY-58] an id alone is not enough."""
    order = await world.buy()
    check = CheckPublicOrder(begin=world.begin, is_reference_required=True)
    with pytest.raises(Unprocessable):
        await check(order.id)
    assert (await check(order.id, order.external_reference)).status is OrderStatus.INITIALISED
