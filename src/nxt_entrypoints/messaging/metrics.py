"""The counter that only the stand-alone mode has [DM-169]."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from nxt_domain.messaging.webhooks import PostResult


class PrometheusEventMetrics:
    """``EventMetrics`` as a Prometheus series.

    Args:
        registry: Where it is shown.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._posts = Counter(
            "device_messaging_webhook_events", "Attempts to tell the adopter", ["result"], registry=registry
        )

    def event_posted(self, result: PostResult) -> None:
        """See ``EventMetrics.event_posted``."""
        self._posts.labels(result.value).inc()
