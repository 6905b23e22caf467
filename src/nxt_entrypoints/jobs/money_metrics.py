"""Figures of money, for Prometheus [PAY-135]."""

from __future__ import annotations

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge

from nxt_adapters.supabase.money_watch import PostgresMoneyWatch


class PrometheusMoneyMetrics:
    """``VerificationMetrics`` as Prometheus series, and what is read at each scrape.

    Args:
        registry: Where the series are shown.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._verified = Counter(
            "nxt_payment_verifications", "Questions to the payment gateway, by result", ["result"], registry=registry
        )
        self._late = Counter("nxt_late_payments", "Payments of orders that were given up already", registry=registry)
        self._orders = Gauge(
            "nxt_orders_recent",
            "Orders that changed within a quarter of an hour",
            ["status", "channel"],
            registry=registry,
        )
        self._pending = Gauge(
            "nxt_orders_oldest_pending_seconds", "How long the oldest order waits to be settled", registry=registry
        )
        self._waiting = Gauge("nxt_outbox_waiting", "Open tasks of the outbox, by kind", ["kind"], registry=registry)
        self._oldest = Gauge(
            "nxt_outbox_oldest_seconds", "Age of the oldest open task, by kind", ["kind"], registry=registry
        )
        self._suspense = Gauge(
            "nxt_suspense_amount", "Money that came in and fits no order", ["currency"], registry=registry
        )
        # With a label, so that it is absent until an audit ran here: nothing found is not the same as not looked.
        self._findings = Gauge(
            "nxt_ledger_audit_findings",
            "What the last audit of the books found; 0 is right",
            ["audit"],
            registry=registry,
        )

    @staticmethod
    @cache
    def of(registry: CollectorRegistry) -> PrometheusMoneyMetrics:
        """Return the one set of a registry: roles that share a process count together."""
        return PrometheusMoneyMetrics(registry)

    def verified(self, result: str) -> None:
        """See ``VerificationMetrics.verified``."""
        self._verified.labels(result).inc()

    def paid_late(self) -> None:
        """See ``VerificationMetrics.paid_late``."""
        self._late.inc()

    def audited(self, findings: int) -> None:
        """Note what an audit of the books found."""
        self._findings.labels("ledger").set(findings)

    async def read(self, watch: PostgresMoneyWatch) -> None:
        """Bring the figures up to date that are read rather than counted; what is gone disappears.

        Raises:
            Unavailable: The database can't be reached; the scrape must fail rather than show old figures.
        """
        state = await watch.look()
        for gauge in (self._orders, self._waiting, self._oldest, self._suspense):
            gauge.clear()
        for labels, orders in state.orders.items():
            self._orders.labels(*labels).set(orders)
        self._pending.set(state.oldest_pending_s)
        for kind, backlog in state.backlog.items():
            self._waiting.labels(kind).set(backlog.tasks)
            self._oldest.labels(kind).set(backlog.oldest_s)
        for currency, amount in state.suspense.items():
            self._suspense.labels(currency).set(float(amount))
