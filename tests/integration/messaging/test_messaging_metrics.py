"""The Prometheus series of messaging."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from tests.support.messaging_process import Engine
from tests.support.messaging_worlds import PostgresWorld, plugins_of, pull_message, push_message

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


async def test_without_a_store_the_scrape_fails(registry: CollectorRegistry, postgres: PostgresWorld) -> None:
    """[DM-170] Rather than show old depths."""
    away = create_engine("postgresql://nobody@127.0.0.1:1/nowhere", pool_size=1)
    with pytest.raises(Unavailable):
        await PrometheusMessagingMetrics(registry).read_depths(lambda: PostgresMessageStore(away), {})
    await away.dispose()
