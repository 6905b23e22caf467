"""Port ``Sms`` over Africa's Talking's HTTP interface [AUTO-89, AUTO-90]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import attrs

from nxt_adapters.resilience import (
    BreakerPolicy,
    CallFailed,
    CallPolicy,
    Faulty,
    HttpCaller,
    HttpFailed,
    HttpReply,
    NotReached,
    OutboundMetrics,
    RetryPolicy,
)
from nxt_domain.notifications.errors import SmsFateUnknown, SmsNotSent, SmsRefused
from nxt_domain.notifications.model import SmsMessage, SmsReceipt
from nxt_domain.shared.errors import InvalidInput, UpstreamFailed
from nxt_domain.shared.json import Json

LIVE_API_URL = "https://api.africastalking.com"
SANDBOX_API_URL = "https://api.sandbox.africastalking.com"
DEFAULT_POLICY = CallPolicy(
    timeout_s=30.0,
    connect_timeout_s=5.0,
    concurrency=4,
    queue_timeout_s=60.0,
    retry=RetryPolicy(attempts=1),
    breaker=BreakerPolicy(failures=5, open_s=30.0),
)

_PATH = "/version1/messaging"
_ACCOUNT_PATH = "/version1/user"
_SANDBOX_USER = "sandbox"
_ACCEPTED = range(100, 103)
_TURNED_AWAY = frozenset({429, 503})
_MAX_REASON_CHARACTERS = 300


@attrs.frozen(kw_only=True)
class AfricasTalkingSettings:
    """What the adapter needs from outside.

    Attributes:
        username: ``AFRICASTALKING_USERNAME``; ``sandbox`` selects the vendor's test system.
        api_key: Gives ``AFRICASTALKING_API_KEY``; asked at every call, so that the key can change meanwhile.
        sender_id: ``AFRICASTALKING_SENDER_ID``; empty: the vendor's default.
        brand_prefix: ``SMS_BRAND_PREFIX``, put before every text as it stands.
        api_url: ``AFRICASTALKING_API_URL`` (R32), without path; empty: the vendor's own.
    """

    username: str
    api_key: Callable[[], str] = attrs.field(repr=False)
    sender_id: str = ""
    brand_prefix: str = ""
    api_url: str = ""

    def __attrs_post_init__(self) -> None:
        if not self.username:
            raise InvalidInput("AFRICASTALKING_USERNAME should not be empty", code="CONFIGURATION")
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise InvalidInput("AFRICASTALKING_API_URL must be an http(s) URL", code="CONFIGURATION")

    @property
    def url(self) -> str:
        """Where messages are posted."""
        own = SANDBOX_API_URL if self.username == _SANDBOX_USER else LIVE_API_URL
        return (self.api_url or own).rstrip("/").removesuffix(_PATH) + _PATH


class AfricasTalkingSms:
    """Sends text messages, each at most once.

    Args:
        settings: Account and address.
        policy: Limits; nothing is repeated here, since the queue of notifications does that [AUTO-85].
        metrics: Where outcomes are counted.
    """

    def __init__(
        self,
        settings: AfricasTalkingSettings,
        *,
        policy: CallPolicy = DEFAULT_POLICY,
        metrics: OutboundMetrics | None = None,
    ) -> None:
        self._settings = settings
        # No connection is reused: one that the vendor is just closing would leave a message's fate unknown.
        self._http = HttpCaller("africastalking", policy, metrics=metrics, keep_alive=False, max_body_bytes=100_000)

    async def send(self, message: SmsMessage) -> SmsReceipt:
        """Hand one message to the gateway.

        Raises:
            SmsRefused: It will not be sent; the text is the gateway's.
            SmsNotSent: The gateway was not reached, or turned the call away (429, 503).
            SmsFateUnknown: Nobody knows whether it was sent.
        """
        try:
            reply = await self._http.request(
                "send_sms",
                "POST",
                self._settings.url,
                headers={"apiKey": self._settings.api_key(), "Accept": "application/json"},
                form=self._form(message),
            )
            return _receipt(reply)
        except NotReached as unreached:
            raise SmsNotSent(unreached.message) from unreached
        except HttpFailed as failed:
            if failed.status in _TURNED_AWAY:
                raise SmsNotSent(failed.message) from failed
            raise SmsFateUnknown(failed.message) from failed
        except CallFailed as failed:
            raise SmsFateUnknown(failed.message) from failed

    async def check(self) -> str:
        """Ask what the account holds, for ``nxt doctor``; return one line on it.

        Raises:
            UpstreamFailed: The gateway can't be reached, or refuses the account's key.
        """
        settings = self._settings
        reply = await self._http.request(
            "balance",
            "GET",
            settings.url.removesuffix(_PATH) + _ACCOUNT_PATH,
            params={"username": settings.username},
            headers={"apiKey": settings.api_key(), "Accept": "application/json"},
        )
        if reply.status != 200:
            raise UpstreamFailed(f"The SMS gateway answers {reply.status}: {_refusal(reply)}")
        return f"answers; the account holds {_text(_member(_member(reply.json(), 'UserData'), 'balance')) or '?'}"

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    def _form(self, message: SmsMessage) -> Mapping[str, str]:
        settings = self._settings
        form = {
            "username": settings.username,
            "to": message.to_phone,
            "message": settings.brand_prefix + message.text,
            "bulkSMSMode": "1",
        }
        return form | {"from": settings.sender_id} if settings.sender_id else form


def _receipt(reply: HttpReply) -> SmsReceipt:
    """Read the answer: a reference, or a refusal [AUTO-90].

    Raises:
        SmsRefused: The gateway said no.
        Faulty: It seems to have taken the request, and said something unintelligible.
    """
    if reply.status >= 300:
        raise SmsRefused(_refusal(reply))
    if reply.status != 201:
        raise Faulty(f"africastalking answered HTTP {reply.status} instead of 201")
    answer = _member(reply.json(), "SMSMessageData")
    if not isinstance(answer, Mapping):
        raise Faulty("africastalking answered HTTP 201 without SMSMessageData")
    recipients = answer.get("Recipients")
    first = recipients[0] if isinstance(recipients, list) and recipients else None
    reference = _member(first, "messageId")
    status = _member(first, "statusCode")
    is_reference = isinstance(reference, str) and reference not in {"", "None"}
    if is_reference and isinstance(status, int) and status in _ACCEPTED:
        return SmsReceipt(reference=str(reference))
    raise SmsRefused(_text(answer.get("Message")) or "the gateway gave no reference")


def _refusal(reply: HttpReply) -> str:
    try:
        said = _text(_member(_member(reply.json(), "SMSMessageData"), "Message"))
    except Faulty:
        is_plain = reply.headers.get("Content-Type", "").startswith("text/plain")
        said = _text(reply.body.decode("utf-8", "replace")) if is_plain else ""
    return said or f"the gateway answered HTTP {reply.status}"


def _member(value: Json, name: str) -> Json:
    return value.get(name) if isinstance(value, Mapping) else None


def _text(value: Json) -> str:
    """Return a vendor's sentence fit for one line of a row or log."""
    if not isinstance(value, str):
        return ""
    return " ".join(value.split())[:_MAX_REASON_CHARACTERS]
