"""Drafts of payouts as documents of the automation platform [PAY-161]."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import attrs

from nxt_adapters.resilience import CallPolicy, HttpCaller, OutboundMetrics
from nxt_domain.shared.errors import UpstreamFailed
from nxt_domain.shared.json import JsonObject

DEFAULT_POLICY = CallPolicy(concurrency=1)


@attrs.frozen(kw_only=True)
class MakeSettings:
    """What the adapter needs from outside.

    Attributes:
        base_url: ``MAKE_API_URL``.
        draft_hook: ``MAKE_API_PAYOUT_FLOW_DRAFT_ID``.
        token: Gives ``MAKE_API_TOKEN``; asked at every call, so that it can change meanwhile.
    """

    base_url: str
    draft_hook: str
    token: Callable[[], str] = attrs.field(repr=False)


class MakeDrafts:
    """Implements ``PayoutDrafts``.

    Args:
        settings: Address and key.
        policy: Limits.
        metrics: Where outcomes are counted.
    """

    def __init__(
        self, settings: MakeSettings, *, policy: CallPolicy = DEFAULT_POLICY, metrics: OutboundMetrics | None = None
    ) -> None:
        self._settings = settings
        self._http = HttpCaller("make", policy, metrics=metrics, max_body_bytes=100_000)

    async def send(self, details: JsonObject) -> None:
        """See ``PayoutDrafts.send``; a repeat only makes the document anew, so network errors are repeated."""
        url = f"{self._settings.base_url.rstrip('/')}/{quote(self._settings.draft_hook, safe='')}"
        headers = {"X-API-KEY": self._settings.token()}
        reply = await self._http.request("draft", "POST", url, headers=headers, json=details, repeatable=True)
        if reply.status >= 300:
            raise UpstreamFailed(f"make refused a draft with HTTP {reply.status}", code="DRAFT_REFUSED")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()
