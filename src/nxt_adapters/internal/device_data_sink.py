"""Readings of sensors to the telemetry role [DM-187, API-155]."""

from __future__ import annotations

from nxt_adapters.resilience import CallFailed, CallPolicy, HttpCaller, RetryPolicy
from nxt_domain.grids.sensors import SensorRow, sink_body
from nxt_domain.shared.clock import iso_millis
from nxt_domain.shared.errors import Unavailable, UpstreamFailed

DEFAULT_POLICY = CallPolicy(timeout_s=10.0, connect_timeout_s=3.0, concurrency=8, retry=RetryPolicy(attempts=2))


class DeviceDataSink:
    """Passes readings on; a repeat is harmless, since the telemetry role keeps one of each device and moment [TEL-164].

    Args:
        base_url: ``YETI_API``; None: there is no telemetry role.
        internal_key: ``INTERNAL_API_KEY``; None: the roles trust each other.
        policy: Limits of calls.
    """

    def __init__(self, *, base_url: str | None, internal_key: str | None, policy: CallPolicy = DEFAULT_POLICY) -> None:
        self._url = None if base_url is None else f"{base_url.rstrip('/')}/device-data-sink/ingest"
        self._headers = {} if internal_key is None else {"X-API-KEY": internal_key}
        self._caller = HttpCaller("telemetry-role", policy)

    async def ingest(self, row: SensorRow) -> None:
        """Hand a reading over.

        Raises:
            Unavailable: The role can't be reached, or there is none.
            UpstreamFailed: It refused the reading.
        """
        if self._url is None:
            raise Unavailable("No telemetry role is configured")
        body = sink_body(row, iso_millis(row.at))
        try:
            reply = await self._caller.request(
                "device_data_sink", "POST", self._url, headers=self._headers, json=body, repeatable=True
            )
        except CallFailed as failed:
            raise Unavailable("The telemetry role can't be reached") from failed
        if reply.status != 201:
            raise UpstreamFailed(f"The telemetry role answered {reply.status}")

    async def close(self) -> None:
        """Close the connections."""
        await self._caller.close()
