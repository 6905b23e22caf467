"""From settled orders to commands on their way, inside the settlement's transaction."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import attrs
import pytest
from tests.support.meters_world import NUMBERS, RADIO, MetersWorld
from tests.support.top_ups import LOCAL, Desk, FarVendor, clear_credit, far

from nxt_domain.messaging.model import CommandType, NewMessage
from nxt_domain.meters.model import InteractionStatus, Origin, Resolution
from nxt_domain.meters.use_cases.top_ups import TopUpCommands, TopUpRequest
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.tokens.rules import minute_of

QUEUED, SUSPENDED, ABORTED = InteractionStatus.QUEUED, InteractionStatus.SUSPENDED, InteractionStatus.ABORTED


async def test_pay_113_a_settled_order_becomes_one_command_with_its_token_and_message(world: MetersWorld) -> None:
    """[R1] With a maker in this process the message joins the settlement's transaction, and no task is left."""
    desk = Desk(world)
    top_up = await desk.buy(world.meter_ids[0], "4.4")
    assert (top_up.status, top_up.origin, top_up.priority) == (QUEUED, Origin.ORDER, 50)
    assert top_up.energy_kwh == Decimal("4.4")
    assert top_up.token_issued_at == world.clock.now()
    assert top_up.token is not None
    (message,) = await world.messages()
    assert message.command_type is CommandType.TOP_UP_KWH
    assert (message.correlation_id, message.priority) == (str(top_up.id), 50.0)
    assert message.device.external_reference == NUMBERS[0]
    assert message.request_data is not None
    assert message.request_data.token == top_up.token
    assert not await desk.has_open_task(top_up.order_id or 0)
    assert await desk.news_of(top_up.id) == [("CREATE", "QUEUED")]
    assert await world.requests() == [(top_up.id, "ORDER", False)]


async def test_many_orders_of_few_meters_get_distinct_token_minutes(world: MetersWorld) -> None:
    """[REL-192] [MET-74] [PAY-114] One interaction per order; no two tokens of a meter share a minute."""
    desk = Desk(world)
    purchases = [(world.meter_ids[number % 2], "1.5") for number in range(12)]
    orders = await desk.settle(*purchases)
    top_ups = [await desk.of_order(order_id) for order_id in orders]
    assert len({top_up.id for top_up in top_ups}) == 12
    assert len({top_up.token for top_up in top_ups}) == 12
    for meter_id in world.meter_ids[:2]:
        minutes = [minute for of, minute, _ in await world.tokens() if of == meter_id]
        assert len(minutes) == len(set(minutes)) == 6
        last = (await world.meter(meter_id)).last_sts_token_issued_at
        assert last == world.clock.now() + timedelta(minutes=5)
        assert minute_of(last) == max(minutes)
    by_id = sorted(top_ups, key=lambda top_up: top_up.id)
    assert [top_up.order_id for top_up in by_id] == sorted(orders)


async def test_a_meter_that_can_not_be_reached_still_gets_its_token(world: MetersWorld) -> None:
    """[PAY-116] No gateway device, no token before, silent for a month: the buyer can key the digits in."""
    meter_id = world.meter_ids[0]
    await world.set_meter(meter_id, last_seen_at=world.clock.now() - timedelta(days=30), dcu_id=None)
    assert (await world.meter(meter_id)).last_sts_token_issued_at is None
    top_up = await Desk(world).buy(meter_id, "2")
    assert top_up.status is ABORTED
    assert top_up.token is not None
    assert [token for _, _, token in await world.tokens()] == [top_up.token]


async def test_pay_113_a_repeat_changes_nothing(world: MetersWorld) -> None:
    desk = Desk(world)
    purchases = [(world.meter_ids[0], "2"), (world.meter_ids[1], "3")]
    orders = await desk.settle(*purchases)
    before = await world.interactions(), await world.tokens(), await world.tasks(), await desk.waiting_messages()
    await desk.settle(*purchases, orders=orders)
    await desk.settle(*purchases, orders=orders)
    assert (
        await world.interactions(),
        await world.tokens(),
        await world.tasks(),
        await desk.waiting_messages(),
    ) == before


async def test_nothing_is_left_of_a_settlement_that_is_rolled_back(world: MetersWorld) -> None:
    order_id = await world.new_order(world.meter_ids[0])
    request = TopUpRequest(order_id=order_id, meter_id=world.meter_ids[0], energy_kwh=Decimal(1))
    async with world.begin() as tx:
        await TopUpCommands(clock=world.clock, makers=LOCAL).create_for_orders(tx, [request])
    assert (await world.interactions(), await world.tokens(), await world.tasks(), await world.messages()) == (
        [],
        [],
        [],
        [],
    )


async def test_met_62_without_power_it_waits_with_its_token(world: MetersWorld) -> None:
    """[MET-73] The token is made whatever the gatekeeper says, so that it can be keyed in by hand."""
    await world.set_power(is_hps_on=False)
    desk = Desk(world)
    top_up = await desk.buy()
    assert (top_up.status, top_up.delivery_failures[0].code) == (SUSPENDED, "GRID_DOWN")
    assert top_up.token is not None
    assert await world.messages() == []
    assert await desk.has_open_task(top_up.order_id or 0)


async def test_pay_116_a_meter_silent_for_long_still_gets_its_token(world: MetersWorld) -> None:
    await world.set_meter(world.meter_ids[0], last_seen_at=world.clock.now() - timedelta(hours=25))
    top_up = await Desk(world).buy()
    assert (top_up.status, top_up.resolution) == (ABORTED, Resolution.UNREACHABLE)
    assert top_up.token is not None
    assert await world.messages() == []


async def test_r1_a_vendor_elsewhere_leaves_a_task_and_a_reserved_minute(world: MetersWorld) -> None:
    """[R22] The minute is written before the token is made."""
    vendor = FarVendor()
    desk = Desk(world, far(vendor))
    top_up = await desk.buy()
    assert (top_up.status, top_up.token) == (QUEUED, None)
    assert vendor.requests == []
    assert await world.tokens() == [(world.meter_ids[0], minute_of(world.clock.now()), None)]
    assert await world.messages() == []
    assert await desk.has_open_task(top_up.order_id or 0)


async def test_r1_without_tariff_only_the_task_is_left(world: MetersWorld) -> None:
    desk = Desk(world)
    (order_id,) = await desk.settle((world.meter_ids[0], None))
    assert await world.interactions() == []
    assert await desk.has_open_task(order_id)


async def test_r13_a_purchase_that_grew_beyond_reason_settles_and_its_task_waits(world: MetersWorld) -> None:
    desk = Desk(world)
    big, biggest = await desk.settle((world.meter_ids[0], "10000.1"), (world.meter_ids[1], "10000"))
    assert [top_up.order_id for top_up in await world.interactions()] == [biggest]
    assert await desk.has_open_task(big)
    assert not await desk.has_open_task(biggest)


async def test_a_deleted_meter_holds_up_no_settlement(world: MetersWorld) -> None:
    """[MET-12]"""
    desk = Desk(world)
    gone, there = await desk.settle((world.deleted_meter_id, "1"), (world.meter_ids[0], "1"))
    assert [top_up.order_id for top_up in await world.interactions()] == [there]
    assert await desk.has_open_task(gone)


async def test_r2_a_maker_that_refuses_holds_up_no_payment(world: MetersWorld) -> None:
    """The order settles; the token is the task's business."""

    class Picky:
        vendor_id = "picky"
        needs_decoder_key = True

        def make(self, _request: object) -> str:
            raise InvalidInput("no decoder key", code="TOKEN_DECODER_KEY_MISSING")

    desk = Desk(world, {RADIO: Picky()})
    top_up = await desk.buy()
    assert (top_up.status, top_up.token) == (QUEUED, None)
    assert await desk.has_open_task(top_up.order_id or 0)


async def test_met_117_a_top_up_waits_behind_an_older_clear_credit(world: MetersWorld) -> None:
    desk = Desk(world)
    await world.add(clear_credit(world.meter_ids[0]))
    fenced, free = await desk.settle((world.meter_ids[0], "5"), (world.meter_ids[1], "5"))
    behind, beside = await desk.of_order(fenced), await desk.of_order(free)
    assert (behind.status, behind.token is None) == (QUEUED, False)
    assert await desk.waiting_messages() == [(str(beside.id), 50.0)]
    assert await desk.has_open_task(fenced)


async def test_met_80_a_refused_message_fails_alone(world: MetersWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """[DM-176] Neither its neighbours nor the payment suffer; people hear of it."""
    courier = world.couriers["calin-chirpstack"]  # type: ignore[attr-defined]  # of both villages
    route = type(courier).ready_queue

    def picky(self: object, message: NewMessage) -> str:
        if message.device.external_reference == NUMBERS[0]:
            raise InvalidInput("no such network", code="UNROUTABLE")
        return str(route(self, message))

    monkeypatch.setattr(type(courier), "ready_queue", picky)
    desk = Desk(world)
    bad, good = await desk.settle((world.meter_ids[0], "5"), (world.meter_ids[1], "5"))
    failed, queued = await desk.of_order(bad), await desk.of_order(good)
    assert (failed.status, failed.resolution) == (InteractionStatus.FAILED, Resolution.DELIVERY_FAILED)
    record = failed.delivery_failures[0]
    assert (record.status, record.code, record.is_final) == ("QUEUED", "UNROUTABLE", True)
    assert await desk.news_of(failed.id) == [("CREATE", "FAILED")]
    assert await desk.waiting_messages() == [(str(queued.id), 50.0)]
    assert await desk.alerts() == ["TOP_UP_FAILED"]
    assert not await desk.has_open_task(bad)


async def test_r49_outbox_rows_hold_no_token(world: MetersWorld) -> None:
    """[REL-142] Neither news nor tasks."""
    desk = Desk(world)
    top_up = await desk.buy()
    assert top_up.token is not None
    assert len(top_up.token) == 20
    assert all(top_up.token not in str(attrs.asdict(task)) for task in await world.tasks())
