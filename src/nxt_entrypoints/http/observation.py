"""What each request leaves behind: one log line and its figures [API-41]."""

from __future__ import annotations

from functools import cache
from weakref import WeakKeyDictionary

import attrs
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from structlog.typing import FilteringBoundLogger

from nxt_domain.identity.model import Principal
from nxt_entrypoints.http.routes import OPERATIONS_TAG, Dialect, Guard, Route

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_UNMATCHED = "(unmatched)"


@attrs.define
class Running:
    """How many requests are being answered."""

    number: int = 0


class HttpMetrics:
    """The figures of one registry; several roles in one process share them.

    Args:
        registry: Where they are shown.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("role", "method", "route")
        self.requests = Counter("nxt_http_requests", "Answered requests.", (*labels, "status"), registry=registry)
        self.seconds = Histogram(
            "nxt_http_request_seconds", "Time to answer.", labels, buckets=_BUCKETS, registry=registry
        )
        self.in_flight = Gauge("nxt_http_requests_in_flight", "Requests being answered.", ("role",), registry=registry)
        # To find a figure by its labels costs more than to change it.
        self.running_of = cache(self._running)
        self.answered = cache(self._answered)
        self.defects = Counter("nxt_http_defects", "Unexpected errors.", labels, registry=registry)

    def _running(self, role: str) -> Running:
        """Return what counts a role's requests under way; whoever asks for the figures reads it."""
        running = Running()
        self.in_flight.labels(role).set_function(lambda: running.number)
        return running

    def _answered(self, role: str, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        """Return what counts and what times the answers of one kind."""
        return self.requests.labels(role, method, route, str(status)), self.seconds.labels(role, method, route)


_by_registry: WeakKeyDictionary[CollectorRegistry, HttpMetrics] = WeakKeyDictionary()


def metrics_of(registry: CollectorRegistry) -> HttpMetrics:
    """Return a registry's HTTP figures, made on first use."""
    if registry not in _by_registry:
        _by_registry[registry] = HttpMetrics(registry)
    return _by_registry[registry]


@attrs.define(kw_only=True)
class Exchange:
    """One request on its way, as it becomes known.

    Attributes:
        principal: The caller, once authenticated.
        route: Once found.
        dialect: How the path answers, if not as all others.
    """

    role: str
    method: str
    request_id: str
    client_address: str
    route: Route | None = None
    dialect: Dialect | None = None
    principal: Principal | None = None

    @property
    def template(self) -> str:
        """The route's path with its parameters' names: bounded, unlike paths."""
        return self.route.path if self.route else _UNMATCHED

    def record(self, metrics: HttpMetrics, log: FilteringBoundLogger, *, status: int, seconds: float) -> None:
        """Count and log the answered request; neither bodies nor credentials nor paths with values."""
        # Methods are the client's choice; only known ones become labels.
        method = self.route.method if self.route else "*"
        count, times = metrics.answered(self.role, method, self.template, status)
        count.inc()
        times.observe(seconds)
        # Probes and scrapes come every few seconds.
        is_operational = self.route is not None and OPERATIONS_TAG in self.route.tags
        (log.debug if is_operational else log.info)(
            "request",
            role=self.role,
            method=self.method,
            route=self.template,
            status=status,
            duration_ms=round(seconds * 1000, 1),
            principal=self._principal_kind(),
            account_id=self.principal.account_id if self.principal else None,
            request_id=self.request_id,
        )

    def _principal_kind(self) -> str:
        if self.principal is not None:
            return self.principal.kind.value
        is_inner = self.route is not None and self.route.guard is Guard.INTERNAL
        return "internal" if is_inner else "anonymous"
