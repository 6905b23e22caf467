"""Many at work on the same meters: no deadlock, no token minute twice, no command twice [R25, REL-192]."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

from sqlalchemy import event
from tests.support.meters_villages import PostgresVillage
from tests.support.top_ups import Desk, FarVendor, far

from nxt_domain.meters.model import InteractionStatus, InteractionType


async def test_rel_192_concurrent_purchases_of_one_meter_get_distinct_minutes(postgres: PostgresVillage) -> None:
    """[REL-52] [MET-74] 20 transactions at once, each with a token."""
    desk, meter_id = Desk(postgres), postgres.meter_ids[0]
    orders = [await postgres.new_order(meter_id) for _ in range(20)]
    await asyncio.gather(*(desk.settle((meter_id, "1"), orders=[order_id]) for order_id in orders))
    tokens = await postgres.tokens()
    assert len({minute for _, minute, _ in tokens}) == 20
    assert len({token for _, _, token in tokens}) == 20
    last = (await postgres.meter(meter_id)).last_sts_token_issued_at
    assert last == postgres.clock.now() + timedelta(minutes=19)


async def test_rel_192_concurrent_reservations_of_the_task_get_distinct_minutes(postgres: PostgresVillage) -> None:
    """As before, with a vendor elsewhere, and every task run by two processes at once [PAY-115]."""
    vendor = FarVendor()
    desk, meter_id = Desk(postgres, far(vendor)), postgres.meter_ids[0]
    orders = await desk.settle(*([(meter_id, "1")] * 10))
    await asyncio.gather(*(desk.complete(order_id) for order_id in orders * 2))
    tokens = await postgres.tokens()
    assert len(tokens) == len({minute for _, minute, _ in tokens}) == len({token for *_, token in tokens}) == 10
    assert len(await postgres.messages()) == 10


async def test_r25_settlements_of_the_same_meters_do_not_deadlock(postgres: PostgresVillage) -> None:
    """Each takes the meters in another order; the rows are locked by ascending id."""
    dice, desk = random.Random(7), Desk(postgres)
    batches = []
    for _ in range(12):
        meter_ids = dice.sample(postgres.meter_ids, 3)
        orders = [await postgres.new_order(meter_id) for meter_id in meter_ids]
        batches.append(([(meter_id, "1") for meter_id in meter_ids], orders))
    await asyncio.gather(*(desk.settle(*purchases, orders=orders) for purchases, orders in batches))
    assert len(await postgres.messages()) == 36


async def test_r25_settlements_events_and_releases_run_side_by_side(postgres: PostgresVillage) -> None:
    desk = Desk(postgres)
    first = [await desk.buy(meter_id) for meter_id in postgres.meter_ids]
    await postgres.set_gateway(postgres.gateway_ids[1], is_online=True)
    orders = [[await postgres.new_order(meter_id) for meter_id in postgres.meter_ids] for _ in range(4)]
    purchases = [(meter_id, "1") for meter_id in postgres.meter_ids]
    events = [postgres.succeeded(top_up.id) for top_up in reversed(first)]
    await asyncio.gather(
        *(desk.settle(*purchases, orders=batch) for batch in orders),
        desk.apply(*events),
        desk.apply(*reversed(events)),
        desk.release(),
        desk.expire(),
        desk.apply(postgres.report()),
    )
    top_ups = await postgres.of_type(InteractionType.TOP_UP)
    assert len(top_ups) == 15
    assert sum(top_up.status is InteractionStatus.SUCCESSFUL for top_up in top_ups) == 3
    # The same outcome from two processes is followed up once.
    assert len(await postgres.of_type(InteractionType.READ_CREDIT)) == 3


async def test_pay_113_two_settlements_of_one_order_make_one_command(postgres: PostgresVillage) -> None:
    desk, meter_id = Desk(postgres), postgres.meter_ids[0]
    order_id = await postgres.new_order(meter_id)
    await asyncio.gather(*(desk.settle((meter_id, "1"), orders=[order_id]) for _ in range(6)))
    assert len(await postgres.of_type(InteractionType.TOP_UP)) == 1
    assert len(await postgres.messages()) == 1
    assert len(await postgres.tokens()) == 1
    assert await postgres.tasks("TOP_UP_COMMAND") == []


async def test_a_batch_takes_as_many_statements_as_one_order(postgres: PostgresVillage) -> None:
    """Set-based throughout: no statement per row."""
    statements: list[str] = []
    event.listen(
        postgres.engine.sync_engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_rest: statements.append(statement),
    )
    desk = Desk(postgres)
    await desk.settle((postgres.meter_ids[0], "1"))
    single = len(statements)
    orders = [await postgres.new_order(postgres.meter_ids[number % 3]) for number in range(60)]
    statements.clear()
    await desk.settle(*((postgres.meter_ids[number % 3], "1") for number in range(60)), orders=orders)
    assert len(statements) == single
