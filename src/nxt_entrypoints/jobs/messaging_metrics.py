"""The counters of device messaging, for Prometheus [DM-169]."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from nxt_adapters.chirpstack.ingress import IngressMetrics
from nxt_adapters.supabase.messages import PostgresMessageStore
from nxt_domain.messaging.model import CancelResult
from nxt_domain.messaging.stages import Stage
from nxt_domain.messaging.tuning import Lanes

_MOST_REASONS = 100
_LONGEST_REASON = 120
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
        self._failures = Counter(
            "device_messaging_attempt_failures",
            "Failed attempts, and messages given up, by reason",
            ["pluginId", "reason"],
            registry=registry,
        )
        self._reasons: set[str] = set()
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
        self._age = Gauge(
            "device_messaging_oldest_message_seconds",
            "Age of the oldest message in a stage or ready queue",
            ["queue"],
            registry=registry,
        )

    @staticmethod
    @cache
    def of(registry: CollectorRegistry) -> PrometheusMessagingMetrics:
        """Return the one set of a registry: roles that share a process count together [API-201]."""
        return PrometheusMessagingMetrics(registry)

    def finished(self, status: str, retry_count: int) -> None:
        """See ``MessagingMetrics.finished``."""
        self._messages.labels(status).inc()
        if status != CancelResult.CANCELLED:
            self._retries.observe(retry_count)

    def attempt_failed(self, plugin_id: str, reason: str) -> None:
        """See ``MessagingMetrics.attempt_failed``; reasons beyond the first hundred, or very long ones, are one."""
        if reason not in self._reasons and (len(reason) > _LONGEST_REASON or len(self._reasons) >= _MOST_REASONS):
            reason = "other"
        self._reasons.add(reason)
        self._failures.labels(plugin_id, reason).inc()

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
        """Read depth and age of every queue, at scrape time; queues that are gone disappear.

        Raises:
            Unavailable: The store can't be reached; the scrape must fail rather than show old depths [DM-170].
        """
        async with begin() as store:
            depths = await store.depths(lanes)
        self._depth.clear()
        self._age.clear()
        for queue, depth in depths.items():
            self._depth.labels(queue).set(depth.messages)
            self._age.labels(queue).set(depth.oldest_s)
