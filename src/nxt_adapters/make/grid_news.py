"""Changes of grids at the automation platform [AUTO-43, MET-156]."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nxt_adapters.make.accounting import DEFAULT_POLICY
from nxt_adapters.resilience import CallPolicy, HttpCaller, OutboundMetrics
from nxt_domain.shared.errors import UpstreamFailed


class MakeGridNews:
    """Implements ``GridNews``.

    Args:
        url: Gives ``MAKE_GRID_STATE_WEBHOOK_URL``, which is its own credential; asked at every call.
        policy: Limits.
        metrics: Where outcomes are counted.
    """

    def __init__(
        self, url: Callable[[], str], *, policy: CallPolicy = DEFAULT_POLICY, metrics: OutboundMetrics | None = None
    ) -> None:
        self._url = url
        self._http = HttpCaller("make", policy, metrics=metrics, max_body_bytes=100_000)

    async def tell(self, change: Mapping[str, object]) -> None:
        """See ``GridNews.tell``."""
        reply = await self._http.request(
            "grid_state",
            "POST",
            self._url(),
            headers={"Content-Type": "application/json"},
            json=change,
            repeatable=True,
            repeat_unreached=True,
        )
        if reply.status >= 300:
            raise UpstreamFailed(f"make refused a grid's change with HTTP {reply.status}", code="GRID_STATE_REFUSED")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()
