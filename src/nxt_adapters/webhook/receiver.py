"""Port ``EventReceiver`` over HTTP [DM-155].

Each attempt is one plain request: the outbox is the patient part, and a circuit breaker would use attempts up that were
never made.
"""

from __future__ import annotations

import asyncio

import aiohttp
import attrs

from nxt_domain.messaging.stand_alone_ports import NotDelivered
from nxt_domain.messaging.webhooks import EVENT_ID_HEADER, SIGNATURE_HEADER, signature


@attrs.frozen(kw_only=True)
class WebhookSettings:
    """Where events go.

    Attributes:
        url: ``eventWebhook.url``.
        secret: Signs the bodies; empty: they are not signed.
        timeout_s: Of one attempt, to the last byte of the answer's head.
    """

    url: str
    secret: str = attrs.field(default="", repr=False)
    timeout_s: float = 10.0


class WebhookReceiver:
    """Posts signed bodies; what comes back beside the status is not read.

    Args:
        settings: Where to.
    """

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    async def post(self, event_id: str, body: bytes) -> int:
        """See ``EventReceiver.post``."""
        headers = {"Content-Type": "application/json", EVENT_ID_HEADER: event_id}
        if self._settings.secret:
            headers[SIGNATURE_HEADER] = signature(self._settings.secret, body)
        request = self._open().post(self._settings.url, data=body, headers=headers, allow_redirects=False)
        try:
            async with asyncio.timeout(self._settings.timeout_s), request as answer:
                return answer.status
        except TimeoutError as late:
            raise NotDelivered(f"no answer within {self._settings.timeout_s:g} s") from late
        except (aiohttp.ClientError, OSError) as broken:
            raise NotDelivered(f"{type(broken).__name__}: {broken}") from broken

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
        return self._session
