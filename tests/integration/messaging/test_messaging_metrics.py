"""The Prometheus series of messaging."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from sqlalchemy import text
from tests.support.messaging_process import Engine, answer, refuse
from tests.support.messaging_worlds import PostgresWorld, plugins_of, pull_message, push_message
from tests.support.wired import wired

from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.messages import PostgresMessageStore
from nxt_domain.messaging.stages import Stage
from nxt_domain.shared.errors import Unavailable
from nxt_entrypoints.jobs.messaging_metrics import PrometheusMessagingMetrics


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def postgres(relational_url: str) -> AsyncIterator[PostgresWorld]:
    engine = create_engine(relational_url, pool_size=3)
    yield PostgresWorld(engine)
    await engine.dispose()


def shown(registry: CollectorRegistry) -> set[str]:
    return set(generate_latest(registry).decode().splitlines())


def test_the_series_have_their_names(registry: CollectorRegistry) -> None:
    """[DM-169]"""
    metrics = PrometheusMessagingMetrics(registry)
    metrics.finished("DELIVERY_SUCCESSFUL", 3)
    metrics.finished("CANCELLED", 0)
    metrics.stage_missed(Stage.AWAITING_TASK)
    metrics.poll_failed("calin-api-v1")
    metrics.ingress_unhandled("calin-chirpstack")
    metrics.undecodable_frame("checksum")
    metrics.corrupt(2)
    assert shown(registry) >= {
        "device_messaging_up 1.0",
        'device_messaging_messages_total{status="DELIVERY_SUCCESSFUL"} 1.0',
        'device_messaging_messages_total{status="CANCELLED"} 1.0',
        'device_messaging_retry_count_bucket{le="2.0"} 0.0',
        'device_messaging_retry_count_bucket{le="3.0"} 1.0',
        "device_messaging_retry_count_count 1.0",
        'device_messaging_stage_claim_misses_total{stage="awaitingTask"} 1.0',
        'device_messaging_poll_failures_total{pluginId="calin-api-v1"} 1.0',
        'device_messaging_ingress_unhandled_total{pluginId="calin-chirpstack"} 1.0',
        'device_messaging_undecodable_frames_total{reason="checksum"} 1.0',
        "device_messaging_corrupt_messages_total 2.0",
    }


async def test_depths_are_read_at_scrape_time(registry: CollectorRegistry, postgres: PostgresWorld) -> None:
    """[DM-169] Queues that are gone disappear."""
    metrics, lanes = PrometheusMessagingMetrics(registry), plugins_of(postgres).lanes
    engine = Engine(postgres)
    await engine.enqueue(push_message(1), push_message(2), pull_message(3))
    await metrics.read_depths(postgres.begin, lanes)
    assert shown(registry) >= {
        'device_messaging_queue_depth{queue="queue:stub-push:network:42"} 2.0',
        'device_messaging_queue_depth{queue="relayNode"} 0.0',
    }
    await engine.send()
    await metrics.read_depths(postgres.begin, lanes)
    lines = shown(registry)
    assert lines >= {
        'device_messaging_queue_depth{queue="relayNode"} 2.0',
        'device_messaging_queue_depth{queue="awaitingTask"} 1.0',
    }
    assert not any("network:42" in line for line in lines)


async def test_the_age_of_what_waits_longest_is_read_with_it(
    registry: CollectorRegistry, postgres: PostgresWorld
) -> None:
    """[DM-169] A queue that stands shows before it is deep."""
    metrics, lanes = PrometheusMessagingMetrics(registry), plugins_of(postgres).lanes
    engine = Engine(postgres)
    await engine.enqueue(push_message(1))
    await postgres.pass_time(timedelta(minutes=10))
    await engine.enqueue(push_message(2))
    await metrics.read_depths(postgres.begin, lanes)
    age = registry.get_sample_value("device_messaging_oldest_message_seconds", {"queue": "queue:stub-push:network:42"})
    assert age is not None
    assert 600 <= age < 660
    assert registry.get_sample_value("device_messaging_oldest_message_seconds", {"queue": "relayNode"}) == 0


async def test_failures_are_counted_by_reason(postgres: PostgresWorld) -> None:
    """[DM-56] Each failed attempt once, the last one too; an answer is none."""
    engine = Engine(postgres)
    postgres.push.on_send = refuse("the network is away")
    await engine.enqueue(push_message(1))
    await engine.send()
    await postgres.pass_time(timedelta(days=8))
    await engine.tick.run(Stage.RETRY)
    await engine.sweep()
    postgres.push.on_send = None
    (answered,) = await engine.enqueue(push_message(2))
    await engine.send()
    await engine.apply("stub-push", answer((await engine.message(answered)).delivery_queue_id))
    assert postgres.metrics.failures == [
        ("stub-push", "the network is away"),
        ("stub-push", "Message expired before it could be delivered"),
    ]


def test_vendors_can_not_make_series_without_end(registry: CollectorRegistry) -> None:
    """A hundred reasons have their own series, all others share one."""
    metrics = PrometheusMessagingMetrics(registry)
    for number in range(150):
        metrics.attempt_failed("calin-api-v2", f"error {number}")
    metrics.attempt_failed("calin-api-v2", "x" * 500)
    shown_reasons = [line for line in shown(registry) if line.startswith("device_messaging_attempt_failures_total{")]
    assert len(shown_reasons) == 101
    assert 'device_messaging_attempt_failures_total{pluginId="calin-api-v2",reason="other"} 51.0' in shown_reasons


async def test_every_role_counts_what_it_does(postgres: PostgresWorld, relational_url: str) -> None:
    """[DM-19, DM-66] [DM-15] [API-201] Whoever takes the vendor's post or takes a command back, not only the engine."""

    def counted(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(name, labels) or 0.0

    ended = "device_messaging_messages_total"
    before = {status: counted(ended, status=status) for status in ("DELIVERY_SUCCESSFUL", "CANCELLED")}
    corrupt = counted("device_messaging_corrupt_messages_total")
    async with wired(relational_url=relational_url) as api:
        radio: dict[str, Any] = {"plugin_id": "calin-chirpstack"}
        async with api.begin()() as tx:
            await tx.messages.enqueue([push_message(1, **radio), push_message(2, **radio), push_message(3, **radio)])
            await tx.commit()
        async with api.begin()() as tx:
            await tx.messages.cancel(["1"])
            await tx.commit()
        async with postgres.engine.begin() as connection:
            await connection.execute(
                text(
                    "update messaging.device_messages set delivery_queue_id = 'q-2', due_at = now(),"
                    " delivery_status = 'SENT_TO_DEVICE' where correlation_id = '2'"
                )
            )
            await connection.execute(
                text(
                    "update messaging.device_messages set delivery_queue_id = 'q-3', device = '[]'"
                    " where correlation_id = '3'"
                )
            )
        await api.apply_device_event()("calin-chirpstack", answer("q-2"))
        await api.apply_device_event()("calin-chirpstack", answer("q-3"))
    after = {status: counted(ended, status=status) for status in before}
    assert after == {status: count + 1 for status, count in before.items()}
    assert counted("device_messaging_corrupt_messages_total") == corrupt + 1


async def test_without_a_store_the_scrape_fails(registry: CollectorRegistry, postgres: PostgresWorld) -> None:
    """[DM-170] Rather than show old depths."""
    away = create_engine("postgresql://nobody@127.0.0.1:1/nowhere", pool_size=1)
    with pytest.raises(Unavailable):
        await PrometheusMessagingMetrics(registry).read_depths(lambda: PostgresMessageStore(away), {})
    await away.dispose()
