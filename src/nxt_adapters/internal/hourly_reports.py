"""Hourly reports to the telemetry role [MET-85, TEL-182]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from nxt_adapters.resilience import CallFailed, CallPolicy, HttpCaller, RetryPolicy
from nxt_domain.shared.errors import Unavailable, UpstreamFailed

_log = structlog.get_logger(__name__)

DEFAULT_POLICY = CallPolicy(timeout_s=30.0, connect_timeout_s=5.0, concurrency=4, retry=RetryPolicy(attempts=1))
"""One attempt: the outbox is the patient part."""


class TelemetryRole:
    """Passes reports on; repeating one is harmless, since the telemetry role counts none twice [TEL-86].

    Args:
        base_url: ``YETI_API``.
        internal_key: ``INTERNAL_API_KEY``.
        policy: Limits of calls.
    """

    def __init__(self, *, base_url: str, internal_key: str, policy: CallPolicy = DEFAULT_POLICY) -> None:
        self._url = f"{base_url.rstrip('/')}/meter-snapshot-1-h/hourly-reports"
        self._headers = {"X-API-KEY": internal_key}
        self._caller = HttpCaller("telemetry-role", policy)

    async def send(self, reports: Sequence[Mapping[str, object]]) -> None:
        """Hand reports over; when this returns, they are durable there.

        Raises:
            Unavailable: The role can't be reached; nothing is lost, try again.
            UpstreamFailed: It refused them.
        """
        try:
            reply = await self._caller.request(
                "hourly_reports", "POST", self._url, headers=self._headers, json=list(reports), repeatable=True
            )
        except CallFailed as failed:
            raise Unavailable("The telemetry role can't be reached") from failed
        if reply.status != 201:
            raise UpstreamFailed(f"The telemetry role answered {reply.status}")
        answer = reply.json()
        ignored = answer.get("ignored") if isinstance(answer, Mapping) else None
        if ignored:
            # Repeating could not mend them; a report of a meter without customer is none of anybody's faults.
            _log.warning("the telemetry role ignored reports", ignored=ignored)

    async def close(self) -> None:
        """Close the connections."""
        await self._caller.close()
