"""The counters of device messaging, for Prometheus [DM-169]."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from nxt_adapters.chirpstack.ingress import IngressMetrics
from nxt_adapters.supabase.messages import PostgresMessageStore
from nxt_domain.messaging.model import CancelResult
from nxt_domain.messaging.stages import Stage
from nxt_domain.messaging.tuning import Lanes

_RETRY_BUCKETS = (0, 1, 2, 3, 4, 5, 6, 8, 11, 16)


class PrometheusMessagingMetrics:
    """``MessagingMetrics`` as Prometheus series.

    Args:
        registry: Where the series are shown.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        Gauge("device_messaging_up", "1 while the process runs", registry=registry).set(1)
        self._messages = Counter("device_messaging_messages", "Messages at their end", ["status"], registry=registry)
        self._retries = Histogram(
            "device_messaging_retry_count",
            "Failed attempts of messages at their end",
            buckets=_RETRY_BUCKETS,
            registry=registry,
        )
        # The API role, which may share the process, counts the same two where vendors post.
        self._ingress = IngressMetrics.of(registry)
        self._misses = Counter(
            "device_messaging_stage_claim_misses", "Failed gates, by stage left", ["stage"], registry=registry
        )
        self._polls = Counter("device_messaging_poll_failures", "Polls without answer", ["pluginId"], registry=registry)
        self._corrupt = Counter("device_messaging_corrupt_messages", "Rows that can't be read", registry=registry)
        self._orphans = Counter(
            "device_messaging_orphaned_events", "Early events that no message claimed", registry=registry
        )
        self._depth = Gauge(
            "device_messaging_queue_depth", "Messages in a stage or ready queue", ["queue"], registry=registry
        )

    def finished(self, status: str, retry_count: int) -> None:
        """See ``MessagingMetrics.finished``."""
        self._messages.labels(status).inc()
        if status != CancelResult.CANCELLED:
            self._retries.observe(retry_count)

    def stage_missed(self, stage: Stage) -> None:
        """See ``MessagingMetrics.stage_missed``."""
        self._misses.labels(stage.value).inc()

    def poll_failed(self, plugin_id: str) -> None:
        """See ``MessagingMetrics.poll_failed``."""
        self._polls.labels(plugin_id).inc()

    def ingress_unhandled(self, plugin_id: str) -> None:
        """See ``MessagingMetrics.ingress_unhandled``."""
        self._ingress.unhandled.labels(plugin_id).inc()

    def undecodable_frame(self, reason: str) -> None:
        """See ``MessagingMetrics.undecodable_frame``."""
        self._ingress.undecodable.labels(reason).inc()

    def corrupt(self, count: int) -> None:
        """See ``MessagingMetrics.corrupt``."""
        self._corrupt.inc(count)

    def events_orphaned(self, count: int) -> None:
        """See ``MessagingMetrics.events_orphaned``."""
        self._orphans.inc(count)

    async def read_depths(self, begin: Callable[[], PostgresMessageStore], lanes: Lanes) -> None:
        """Read the depth of every queue, at scrape time; queues that are gone disappear.

        Raises:
            Unavailable: The store can't be reached; the scrape must fail rather than show old depths [DM-170].
        """
        async with begin() as store:
            depths = await store.depths(lanes)
        self._depth.clear()
        for queue, depth in depths.items():
            self._depth.labels(queue).set(depth)
