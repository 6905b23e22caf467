"""`nxt ledger explain` and `statement` tell from rows alone how each figure came to be."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import pairwise

import pytest
from click.testing import CliRunner, Result
from tests.support.payments_postgres import PostgresWorld
from tests.support.payments_stores import settle_all

from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.ledger_books import PostgresBooks
from nxt_domain.orders.explanation import explain
from nxt_domain.shared.paging import Window
from nxt_entrypoints.cli.commands import nxt


@pytest.fixture
async def world(relational_url: str) -> AsyncIterator[PostgresWorld]:
    made = PostgresWorld(relational_url, create_engine(relational_url, pool_size=4))
    yield made
    await made.close()


async def test_a_purchase_tells_its_story(world: PostgresWorld) -> None:
    """[PAY-108] [PAY-109] The webhook, the gateway's word, both postings, the price and what it makes of the money."""
    order = await world.buy("1000")
    world.pay(order, charged_amount=Decimal(1014), fee=Decimal(14))
    await world.webhook(order)
    await settle_all(world)
    meter = world.one("select meter_id from wallets where id = %s", world.meter_wallet)
    world.one(
        "insert into meter_interactions (meter_id, meter_interaction_type, meter_interaction_status, order_id,"
        " transactive_kwh, origin, token) values (%s, 'TOP_UP', 'SUCCESSFUL', %s, 3.4, 'ORDER',"
        " '12345678901234567890') returning id",
        meter,
        order.id,
    )
    told = await PostgresBooks(world.engine).of(order.id)
    assert told is not None
    texts = [step.text for step in explain(told)]
    for expected in (
        f"order made: 1000 NGN from wallet 968 (banking system) to wallet {world.meter_wallet} (meter 47001771477)",
        "webhook: transaction 8321945 is successful; PAID",
        "the payer was charged 1014 NGN, 14 NGN of it the gateway's fee",
        f"  +1000 on wallet:{world.meter_wallet}: 0 became 1000",
        "  -1000 on external:gateway:platform, which keeps no running balance",
        "1000 NGN / 300 NGN/kWh (HPS) = 3.3333 kWh; rounded up to a tenth: 3.4 kWh",
        "settled",
        "text message CREDIT_RECEIVED: PENDING",
    ):
        assert expected in texts, (expected, texts)
    # [PAY-113] [R49] Tokens are nobody's business here.
    assert not any("12345678901234567890" in text for text in texts)
    assert await PostgresBooks(world.engine).of(999_999) is None


async def test_a_failed_order_says_why(world: PostgresWorld) -> None:
    """[PAY-104]"""
    order = await world.send(world.agent_wallet, world.meter_wallet, "700")
    await settle_all(world)
    told = await PostgresBooks(world.engine).of(order.id)
    assert told is not None
    assert "is FAILED: INSUFFICIENT_BALANCE, The sender's balance is too low" in [step.text for step in explain(told)]


async def test_a_statement_runs_on_page_by_page(world: PostgresWorld) -> None:
    """[PAY-28] [PAY-30] Each line begins where the one before ended; the end is the balance."""
    for amount in ("500", "300", "200"):
        await world.send(world.system, world.agent_wallet, amount)
        await settle_all(world)
    await world.send(world.agent_wallet, world.meter_wallet, "250")
    await settle_all(world)
    books = PostgresBooks(world.engine)
    first = await books.of_wallet(world.agent_wallet, Window(limit=3))
    assert first is not None
    assert (first.owner, first.balance, first.posted) == ("agent Agent of Kalonda", Decimal(750), Decimal(750))
    last = await books.of_wallet(world.agent_wallet, Window(limit=3, after=first.next))
    assert last is not None
    lines = [*first.lines, *last.lines]
    assert [line.amount for line in lines] == [Decimal(500), Decimal(300), Decimal(200), Decimal(-250)]
    for before, line in pairwise(lines):
        assert line.balance_before == before.balance_after
    assert lines[-1].counterparts == [f"wallet:{world.meter_wallet}"]
    assert (last.next, lines[-1].balance_after) == (None, first.balance)
    assert await books.of_wallet(999_999, Window()) is None


def test_the_commands(world: PostgresWorld, relational_url: str) -> None:
    """[R54] 0 with the facts, 1 for what is not there, 2 when nothing can be asked."""

    def run(*words: str, url: str = relational_url) -> Result:
        return CliRunner().invoke(nxt, ["ledger", *words, "--url", url], standalone_mode=False)

    wallet = run("statement", str(world.agent_wallet), "--json")
    assert wallet.return_value == 0
    assert json.loads(wallet.stdout)["lines"] == []
    for words in (["explain", "1"], ["statement", "999999"]):
        assert run(*words).return_value == 1
        assert run(*words, url="postgresql://nobody@127.0.0.1:1/x").return_value == 2
