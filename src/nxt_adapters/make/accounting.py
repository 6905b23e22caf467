"""Payouts at the automation platform: drafts as documents, and entries for the bookkeepers [PAY-161, PAY-163]."""

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
        bookkeeping_hook: ``MAKE_API_XERO_AUTO_PAYOUT_FLOW_ID``.
        token: Gives ``MAKE_API_TOKEN``; asked at every call, so that it can change meanwhile.
    """

    base_url: str
    draft_hook: str
    bookkeeping_hook: str
    token: Callable[[], str] = attrs.field(repr=False)


class MakeAccounting:
    """Implements ``AccountingExport``.

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
        """See ``AccountingExport.send``; a repeat only makes the document anew, so network errors are repeated."""
        await self._post("draft", self._settings.draft_hook, details, repeatable=True)

    async def book(self, statement: JsonObject) -> None:
        """See ``AccountingExport.book``; repeated only if it certainly did not arrive, since each is an entry there."""
        await self._post("book", self._settings.bookkeeping_hook, statement, repeatable=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _post(self, operation: str, hook: str, content: JsonObject, *, repeatable: bool) -> None:
        reply = await self._http.request(
            operation,
            "POST",
            f"{self._settings.base_url.rstrip('/')}/{quote(hook, safe='')}",
            headers={"X-API-KEY": self._settings.token()},
            json=content,
            repeatable=repeatable,
            repeat_unreached=True,
        )
        if reply.status >= 300:
            raise UpstreamFailed(f"make refused a {operation} with HTTP {reply.status}", code="EXPORT_REFUSED")
