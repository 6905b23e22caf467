"""Port ``MessagingService`` over the service's HTTP contract [DM 14]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

import attrs

from nxt_adapters.resilience import BreakerPolicy, CallFailed, CallPolicy, Faulty, HttpCaller, HttpReply, RetryPolicy
from nxt_domain.messaging.messages_wire import message_from_json
from nxt_domain.messaging.model import CancelResult, DeviceMessage
from nxt_domain.shared.errors import InvalidInput, Unavailable
from nxt_domain.shared.json import Json, JsonObject

DEFAULT_POLICY: Final = CallPolicy(
    timeout_s=5.0,
    connect_timeout_s=1.0,
    concurrency=50,
    queue_timeout_s=2.0,
    retry=RetryPolicy(attempts=2, wait_initial_s=0.2, wait_max_s=0.5, jitter_s=0.1),
    breaker=BreakerPolicy(failures=10, open_s=5.0),
)
"""Short: look-ups and cancellations happen inside transactions. The outbox is the patient part."""

_REFUSED: Final = frozenset({400, 413, 415})


@attrs.frozen(kw_only=True)
class DeviceMessagingSettings:
    """Where the service is.

    Attributes:
        url: ``DEVICE_MESSAGING_URL``.
        api_key: ``DEVICE_MESSAGING_API_KEY``; empty: the service is open.
    """

    url: str
    api_key: str = attrs.field(default="", repr=False)


class DeviceMessagingClient:
    """Calls the service. Every call is harmless to repeat: an enqueue names itself.

    Args:
        settings: Where it is.
        policy: Limits.
    """

    def __init__(self, settings: DeviceMessagingSettings, *, policy: CallPolicy = DEFAULT_POLICY) -> None:
        self._url = settings.url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {settings.api_key}"} if settings.api_key else {}
        self._http = HttpCaller("device-messaging", policy)

    async def enqueue(self, message: JsonObject, *, request_key: str) -> None:
        """See ``MessagingService.enqueue``."""
        headers = {**self._headers, "Idempotency-Key": request_key}
        reply = await self._call("enqueue", "POST", "/message/enqueue", body=message, headers=headers)
        if reply.status in _REFUSED:
            raise InvalidInput(_refusal(reply), code="MESSAGE_REFUSED")
        _expect(reply, 201)

    async def find(self, correlation_id: str) -> DeviceMessage | None:
        """See ``MessagingService.find``."""
        reply = await self._call("find", "GET", f"/message/{quote(correlation_id, safe='')}")
        if reply.status == 404:
            return None
        _expect(reply, 200)
        try:
            return message_from_json(_json(reply))
        except InvalidInput as strange:
            raise Unavailable(f"Device messaging shows no message: {strange.message}") from strange

    async def cancel(self, correlation_ids: Sequence[str]) -> Mapping[str, CancelResult]:
        """See ``MessagingService.cancel``."""
        reply = await self._call("cancel", "POST", "/messages/cancel", body={"correlationIds": list(correlation_ids)})
        _expect(reply, 200)
        results = _results(_json(reply))
        if not set(correlation_ids) <= set(results):
            raise Unavailable("Device messaging answered a cancellation with something else")
        return {one: results[one] for one in correlation_ids}

    async def forward(self, plugin_id: str, event: str | None, body: Json, key: str | None) -> None:
        """Pass a vendor's post on [DM-186].

        Args:
            plugin_id: Whose it is.
            event: ChirpStack's kind of event.
            body: As decoded.
            key: ``CHIRPSTACK_INGRESS_KEY``.

        Raises:
            Unavailable: The service did not take it.
        """
        headers = {} if key is None else {"X-API-KEY": key}
        params = {} if event is None else {"event": event}
        path = f"/ingress/{quote(plugin_id, safe='')}"
        _expect(await self._call("forward", "POST", path, body=body, headers=headers, params=params), 204)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        body: Json = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> HttpReply:
        try:
            return await self._http.request(
                operation,
                method,
                f"{self._url}{path}",
                headers=self._headers if headers is None else headers,
                params=params,
                json=body,
                repeatable=True,
            )
        except CallFailed as failed:
            raise Unavailable("Device messaging can't be reached") from failed


def _expect(reply: HttpReply, status: int) -> None:
    if reply.status != status:
        # A wrong key, another service: people have to act, and meanwhile nothing is lost.
        raise Unavailable(f"Device messaging answered HTTP {reply.status}")


def _json(reply: HttpReply) -> Json:
    try:
        return reply.json()
    except Faulty as garbage:
        raise Unavailable("Device messaging answered with something that is no JSON") from garbage


def _results(body: Json) -> Mapping[str, CancelResult]:
    listed = body if isinstance(body, list) else []
    pairs = [(one.get("correlationId"), one.get("result")) for one in listed if isinstance(one, dict)]
    known = {result.value: result for result in CancelResult}
    return {
        name: known[word] for name, word in pairs if isinstance(name, str) and isinstance(word, str) and word in known
    }


def _refusal(reply: HttpReply) -> str:
    try:
        body = reply.json()
    except Faulty:
        body = None
    error = body.get("error") if isinstance(body, dict) else None
    issues = body.get("issues") if isinstance(body, dict) else None
    paths = [str(issue.get("path")) for issue in issues if isinstance(issue, dict)] if isinstance(issues, list) else []
    text = error if isinstance(error, str) and error else f"Device messaging answered HTTP {reply.status}"
    return f"{text} ({', '.join(paths)})" if paths else text
