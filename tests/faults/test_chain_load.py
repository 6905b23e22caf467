"""Two hundred villagers pay at once, while gateway and radio misbehave; afterwards books and meters are counted."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from decimal import Decimal
from itertools import cycle, islice

import pytest
from tests.support.running import Product, Purchase, purchase_of, until

pytestmark = pytest.mark.e2e

_PURCHASES = 200
_AMOUNTS = (250, 300, 500, 700, 1000)


async def test_two_hundred_purchases_at_once(product: Product) -> None:
    """Webhooks twice and out of order, one downlink in ten lost: all settled once, all delivered once, books balance.

    [PAY-122] [PAY-123] [PAY-124] [PAY-113] [PAY-114] [DM-3] [DM-4] (R9)
    """
    await product.control("flutterwave", duplicate_rate=0.5, reorder_rate=0.4, seed=7)
    await product.control("chirpstack", loss_rate=0.1, duplicate_rate=0.2, reorder_rate=0.2, seed=7)
    before = {number: await product.meter(number) for number in product.meters()}
    buyers = zip(islice(cycle(product.meters()), _PURCHASES), cycle(_AMOUNTS), strict=False)
    purchases = await asyncio.gather(*(_buy_patiently(product, number, amount) for number, amount in buyers))
    orders = [purchase.order_id for purchase in purchases]
    assert len(set(orders)) == _PURCHASES
    delivered = """
        select count(*) from meter_interactions
        where order_id = any(%s) and meter_interaction_status = 'SUCCESSFUL'
    """
    await product.until_value(_PURCHASES, delivered, orders, within_s=300)
    _settled_once(product, purchases)
    await _credited_once(product, purchases, before)
    assert product.value("select sum(amount) from internal.ledger_postings") == 0
    audit = product.audit()
    assert (audit.returncode, audit.stdout) == (0, "the books are clean\n")


async def _buy_patiently(product: Product, number: str, amount: int) -> Purchase:
    """Buy as a page does that is asked to come again while the database has its hands full [API-36]."""

    async def ordered() -> Purchase | None:
        answer = await product.initialise(number, amount)
        assert answer.status in {201, 503}, answer
        return None if answer.status == 503 else purchase_of(answer, number, amount)

    purchase = await until(ordered, 30, f"an order for {number}")
    await product.pay(purchase)
    return purchase


def _settled_once(product: Product, purchases: list[Purchase]) -> None:
    orders = [purchase.order_id for purchase in purchases]
    rows = product.rows("select id, order_status::text as status, amount from orders where id = any(%s)", orders)
    assert Counter(row["status"] for row in rows) == {"COMPLETED": _PURCHASES}
    settled = product.rows(
        """
        select e.order_id, p.amount from internal.ledger_entries e
        join internal.ledger_postings p on p.entry_id = e.id and p.amount > 0 where e.order_id = any(%s)
        """,
        orders,
    )
    assert Counter(row["order_id"] for row in settled) == Counter(orders)
    amounts = {purchase.order_id: purchase.amount for purchase in purchases}
    assert {row["order_id"]: row["amount"] for row in settled} == amounts


async def _credited_once(product: Product, purchases: list[Purchase], before: dict[str, dict[str, Decimal]]) -> None:
    sold = product.rows(
        "select order_id, transactive_kwh, token from meter_interactions where order_id = any(%s)",
        [purchase.order_id for purchase in purchases],
    )
    assert len({row["token"] for row in sold}) == _PURCHASES
    energy = {row["order_id"]: row["transactive_kwh"] for row in sold}
    bought: defaultdict[str, list[Decimal]] = defaultdict(list)
    for purchase in purchases:
        bought[purchase.meter].append(energy[purchase.order_id])
    for number, kwhs in bought.items():
        after = await product.meter(number)
        assert after["credited_kwh_total"] - before[number]["credited_kwh_total"] == sum(kwhs), number
        assert after["tokens_accepted"] - before[number]["tokens_accepted"] == len(kwhs), number
