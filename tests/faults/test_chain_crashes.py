"""Processes of the running product are killed between the steps of a purchase; then books and meters are checked."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from decimal import Decimal

import pytest
from tests.support.running import Product, Purchase, until

pytestmark = pytest.mark.e2e


async def test_jobs_die_between_settlement_and_delivery(product: Product) -> None:
    """kill -9 of the jobs role with a settled, undelivered purchase: it comes back, and the command arrives once.

    [PAY-125] [PAY-126] [DM-3] [DM-4]
    """
    number = product.meters()[10]
    before = await product.meter(number)
    await _radio(product, number, is_on=False)
    purchase = await product.buy(number, 500)
    await product.until_command(purchase, "PROCESSING")
    old = _kill(product, "jobs")
    await _radio(product, number, is_on=True)
    await product.until_replaced("jobs", old)
    view = await product.until_command(purchase, "SUCCESSFUL")
    after = await product.meter(number)
    assert after["credited_kwh_total"] - before["credited_kwh_total"] == Decimal(view["kwh"])
    assert after["tokens_accepted"] - before["tokens_accepted"] == 1
    assert after["tokens_refused"] == before["tokens_refused"]
    assert product.audit().returncode == 0


async def test_jobs_die_while_many_pay(product: Product) -> None:
    """kill -9 amid many purchases: each is settled once and credited once [PAY-124] [PAY-125] [PAY-127].

    An attempt of which the dead process did not see the end may be repeated [DM-4]; a meter counts a token once (R20).
    """
    numbers = product.meters()[11:23]
    before = {number: await product.meter(number) for number in numbers}
    purchases = await asyncio.gather(*(product.order(number, 400) for number in numbers))
    for index, purchase in enumerate(purchases):
        await product.pay(purchase)
        if index == len(purchases) // 2:
            old = _kill(product, "jobs")
    await product.until_replaced("jobs", old)
    await _all_delivered_once(product, purchases, before)


async def test_the_api_dies_before_the_webhook(product: Product) -> None:
    """A webhook that finds nobody is sent again by the gateway; the restarted role takes it [PAY-70] [PAY-72]."""
    purchase = await product.order(product.meters()[24], 400)
    old = _kill(product, "api")
    await product.pay(purchase)
    await product.until_replaced("api", old)
    await product.until_command(purchase, "SUCCESSFUL")


async def test_the_api_dies_after_the_webhook(product: Product) -> None:
    """An event that was stored just before a crash is not lost [PAY-72].

    What the meter answered meanwhile is, since a network server doesn't repeat: the message waits for its patience,
    is sent again with the same token, refused by the meter, and the meter's credit decides (R20, R21) [MET-125].
    """
    number = product.meters()[25]
    before = {number: await product.meter(number)}
    purchase = await product.buy(number, 400)

    async def stored() -> bool:
        return product.rows("select 1 from internal.gateway_events where tx_ref = %s", purchase.reference) != []

    await until(stored, 60, "the event to be stored")
    old = _kill(product, "api")
    await product.until_replaced("api", old)
    await _all_delivered_once(product, [purchase], before)
    assert (await product.meter(number))["tokens_refused"] <= before[number]["tokens_refused"] + 1


@pytest.mark.parametrize("child", ["provisioning", "telemetry", "simulators"])
async def test_any_other_process_comes_back(product: Product, child: str) -> None:
    """The supervisor starts again whatever dies, and status tells how often [API-39]."""
    old = _kill(product, child)
    await product.until_replaced(child, old)
    purchase = await product.buy(product.meters()[26], 300)
    await product.until_command(purchase, "SUCCESSFUL")


async def test_the_database_crashes_under_load(product: Product) -> None:
    """One of PostgreSQL's processes is killed, so that it cuts off everybody and recovers: nothing is lost or doubled.

    [PAY-125] [PAY-130] [DM-189]
    """
    numbers = product.meters()[27:37]
    before = {number: await product.meter(number) for number in numbers}
    purchases = await asyncio.gather(*(product.order(number, 400) for number in numbers))
    paying = asyncio.gather(*(product.pay(purchase) for purchase in purchases))
    await asyncio.sleep(0.15)
    os.kill(_a_backend(product), signal.SIGKILL)
    await paying
    await _until_the_database_answers(product)
    await _all_delivered_once(product, purchases, before)
    assert [role for role in ("api", "jobs", "telemetry", "provisioning") if not await _is_ready(product, role)] == []


async def _all_delivered_once(
    product: Product, purchases: Sequence[Purchase], before: dict[str, dict[str, Decimal]]
) -> None:
    await product.until_delivered(purchases)
    views = [await product.check(purchase) for purchase in purchases]
    for purchase, view in zip(purchases, views, strict=True):
        meter = await product.meter(purchase.meter)
        credited = meter["credited_kwh_total"] - before[purchase.meter]["credited_kwh_total"]
        assert credited == Decimal(view["kwh"]), purchase
        entries = product.value("select count(*) from internal.ledger_entries where order_id = %s", purchase.order_id)
        commands = product.value("select count(*) from meter_interactions where order_id = %s", purchase.order_id)
        assert (entries, commands) == (1, 1), purchase
    assert product.value("select sum(amount) from internal.ledger_postings") == 0
    assert product.audit().returncode == 0


async def _radio(product: Product, number: str, *, is_on: bool) -> None:
    url = f"{product.simulator('chirpstack')}/meters/{number}"
    answer = await product.call("PUT", url, {"gateway_online": is_on})
    assert answer.status == 200


async def _is_ready(product: Product, role: str) -> bool:
    async def ready() -> bool:
        return (await product.get(f"{product.url(role)}/readyz")).status == 200

    return await until(ready, 60, f"{role} to be ready")


async def _until_the_database_answers(product: Product) -> None:
    import psycopg  # noqa: PLC0415 - for its error alone

    async def answers() -> bool:
        try:
            return bool(product.value("select 1"))
        except psycopg.OperationalError:
            return False

    await until(answers, 60, "the database")


def _kill(product: Product, child: str) -> int:
    pid = product.pid_of(child)
    os.kill(pid, signal.SIGKILL)
    return pid


def _a_backend(product: Product) -> int:
    """A server process of the jobs role, as the machine knows it."""
    return int(
        product.value(
            "select pid from pg_stat_activity where datname = 'nxt' and pid <> pg_backend_pid() "
            "and backend_type = 'client backend' order by query_start desc limit 1"
        )
    )
