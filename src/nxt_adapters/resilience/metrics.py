"""Prometheus series of all outbound calls, one set for all adapters."""

from __future__ import annotations

from enum import StrEnum
from functools import cache

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)


class Outcome(StrEnum):
    """How one attempt ended, as label ``outcome``."""

    OK = "ok"
    REFUSED = "refused"
    NOT_REACHED = "not_reached"
    FATE_UNKNOWN = "fate_unknown"
    FAULTY = "faulty"
    CIRCUIT_OPEN = "circuit_open"
    OVERLOADED = "overloaded"
    CANCELLED = "cancelled"
    DEFECT = "defect"


class OutboundMetrics:
    """The series; make one per registry.

    Args:
        registry: Where they are exposed.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("system", "operation")
        self.calls = Counter(
            "nxt_outbound_calls_total",
            "Attempts to call an outside system, by how they ended",
            (*labels, "outcome"),
            registry=registry,
        )
        self.seconds = Histogram(
            "nxt_outbound_call_seconds",
            "Duration of attempts that were really made",
            labels,
            buckets=_SECONDS,
            registry=registry,
        )
        self.retries = Counter(
            "nxt_outbound_retries_total",
            "Attempts after the first of a call",
            labels,
            registry=registry,
        )
        self.in_flight = Gauge("nxt_outbound_in_flight", "Attempts under way now", ("system",), registry=registry)
        self.circuit_open = Gauge(
            "nxt_outbound_circuit_open", "1 while calls are refused by us", ("system",), registry=registry
        )

    @staticmethod
    @cache
    def shared() -> OutboundMetrics:
        """Return the set on the process's default registry."""
        return OutboundMetrics(REGISTRY)
