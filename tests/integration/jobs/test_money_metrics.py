"""The Prometheus series of money, counted and read [PAY-135]."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.support.payments_postgres import PostgresWorld
from tests.support.payments_stores import settle_all
from tests.support.wired import wired

from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.money_watch import PostgresMoneyWatch
from nxt_domain.orders.gateway_ports import GatewayFailed
from nxt_domain.orders.use_cases.gateway_events import GatewayNotReached
from nxt_domain.orders.use_cases.public_orders import CancelPublicOrder
from nxt_domain.orders.use_cases.verification import PaymentVerification
from nxt_domain.shared.errors import Unavailable
from nxt_entrypoints.jobs.money_metrics import PrometheusMoneyMetrics

DASHBOARDS = Path(__file__).parents[3] / "deploy" / "grafana" / "dashboards"


class World(PostgresWorld):
    """A village that pays, and is counted."""

    def __init__(self, url: str, engine: AsyncEngine) -> None:
        super().__init__(url, engine)
        self.url = url
        self.registry = CollectorRegistry()
        self.metrics = PrometheusMoneyMetrics(self.registry)

    @property
    def verification(self) -> PaymentVerification:
        return PaymentVerification(
            begin=self.begin, accounts=self.accounts, clock=self.clock, wake_ups=self.wake_ups, metrics=self.metrics
        )

    def do(self, statement: str, *parameters: object) -> None:
        """Change rows."""
        with psycopg.connect(self.url, autocommit=True) as owner:
            owner.execute(statement, parameters)  # type: ignore[arg-type]  # literals of this file

    async def shown(self) -> set[str]:
        """Scrape."""
        await self.metrics.read(PostgresMoneyWatch(self.engine))
        return {line for line in generate_latest(self.registry).decode().splitlines() if not line.startswith("#")}


@pytest.fixture
async def world(relational_url: str) -> AsyncIterator[World]:
    made = World(relational_url, create_engine(relational_url, pool_size=4))
    yield made
    await made.close()


async def test_pay_135_what_verifications_come_to(world: World) -> None:
    """[PAY-135] By result, answers and the lack of one; late payments for themselves."""
    paid = await world.buy()
    world.pay(paid, tx_id="1")
    await world.webhook(paid, tx_id="1")
    short = await world.buy("5000")
    world.pay(short, tx_id="2", amount="4000")
    await world.webhook(short, tx_id="2")
    late = await world.buy()
    await CancelPublicOrder(begin=world.begin)(late.id)
    world.pay(late, tx_id="3")
    await world.webhook(late, tx_id="3")
    unheard = await world.buy()
    world.accounts.platform.failure = GatewayFailed("down")
    with pytest.raises(GatewayNotReached):
        await world.webhook(unheard, tx_id="4")
    assert await world.shown() >= {
        'nxt_payment_verifications_total{result="PAID"} 2.0',
        'nxt_payment_verifications_total{result="AMOUNT_MISMATCH"} 1.0',
        'nxt_payment_verifications_total{result="UNREACHED"} 1.0',
        "nxt_late_payments_total 1.0",
        'nxt_suspense_amount{currency="NGN"} 4000.0',
    }


async def test_pay_135_orders_and_the_outbox(world: World) -> None:
    """[PAY-135] Orders by status and channel, the oldest that waits, tasks and their age by kind."""
    await world.buy()
    paid = await world.buy()
    world.pay(paid)
    await world.webhook(paid)
    world.do("alter table orders disable trigger touch_updated_at")
    world.do("update orders set updated_at = now() - interval '90 seconds' where id = %s", paid.id)
    world.do(
        "insert into internal.outbox_tasks (kind, dedupe_key, payload, created_at, done_at, dropped_at) values"
        " ('SMS', 'a', '{}', now() - interval '10 minutes', null, null), ('SMS', 'b', '{}', now(), null, null),"
        " ('SMS', 'c', '{}', now() - interval '1 hour', now(), null),"
        " ('HOOK', 'd', '{}', now() - interval '1 hour', null, now())"
    )
    shown = await world.shown()
    assert shown >= {
        'nxt_orders_recent{channel="NIFFLER",status="INITIALISED"} 1.0',
        'nxt_orders_recent{channel="NIFFLER",status="PENDING"} 1.0',
        'nxt_outbox_waiting{kind="SMS"} 2.0',
    }
    figures = {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in shown}
    assert 89 < figures["nxt_orders_oldest_pending_seconds"] < 150
    assert 599 < figures['nxt_outbox_oldest_seconds{kind="SMS"}'] < 660
    assert not [name for name in figures if "HOOK" in name]
    await settle_all(world)
    world.do("update orders set updated_at = now() - interval '16 minutes'")
    world.do("update internal.outbox_tasks set done_at = now() where done_at is null")
    later = await world.shown()
    assert "nxt_orders_oldest_pending_seconds 0.0" in later
    assert not [line for line in later if line.startswith(("nxt_orders_recent", "nxt_outbox"))], (
        "what is gone disappears"
    )


async def test_pay_135_the_audit_is_silent_until_it_ran(world: World) -> None:
    """[PAY-135] The difference must be 0; not having looked is not 0."""
    assert not [line for line in await world.shown() if "audit" in line]
    world.metrics.audited(0)
    assert 'nxt_ledger_audit_findings{audit="ledger"} 0.0' in await world.shown()
    world.metrics.audited(3)
    assert 'nxt_ledger_audit_findings{audit="ledger"} 3.0' in await world.shown()


async def test_a_scrape_fails_rather_than_show_old_figures(world: World) -> None:
    nowhere = create_engine("postgresql://nobody:none@127.0.0.1:9/none", pool_size=1)
    with pytest.raises(Unavailable):
        await world.metrics.read(PostgresMoneyWatch(nowhere))
    await nowhere.dispose()


async def test_the_product_counts_what_it_verifies() -> None:
    """[PAY-135] The container's verification has the process's counters."""
    async with wired() as container:
        assert container.verification()._metrics is container.verification()._metrics
        assert isinstance(container.verification()._metrics, PrometheusMoneyMetrics)


def test_the_dashboard_shows_them() -> None:
    """[PAY-135]"""
    shown = json.dumps(json.loads((DASHBOARDS / "money-and-api.json").read_text()))
    for figure in (
        "nxt_orders_recent",
        "nxt_orders_oldest_pending_seconds",
        "nxt_outbox_waiting",
        "nxt_outbox_oldest_seconds",
        "nxt_payment_verifications_total",
        "nxt_late_payments_total",
        "nxt_suspense_amount",
        "nxt_ledger_audit_findings",
    ):
        assert figure in shown, figure
