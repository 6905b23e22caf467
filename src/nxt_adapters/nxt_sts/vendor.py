"""Port ``TokenVendor`` over the ``nxt-sts`` service [STS-66 to STS-72]."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

import attrs

from nxt_adapters.resilience import (
    BreakerPolicy,
    CallFailed,
    CallPolicy,
    FateUnknown,
    Faulty,
    HttpCaller,
    HttpFailed,
    HttpReply,
    OutboundMetrics,
    RetryPolicy,
)
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.json import Json
from nxt_domain.tokens.model import TokenClass, TokenRequest
from nxt_domain.tokens.native import decoder_key, timed_token
from nxt_domain.tokens.ports import TokenBadAnswer, TokenRefused, TokenVendorUnavailable
from nxt_domain.tokens.rules import is_token
from nxt_domain.tokens.sts import Algorithm, BaseDate, DecoderKey, TimedToken, UnreadableToken, decode, minute_of_tid

DEFAULT_POLICY: Final = CallPolicy(
    timeout_s=30.0,
    connect_timeout_s=5.0,
    concurrency=10,
    retry=RetryPolicy(attempts=1),
    breaker=BreakerPolicy(failures=5, open_s=30.0),
)

_BASE: Final = BaseDate.Y2014
_NAMES: Final[Mapping[TokenClass, str]] = {
    TokenClass.TOP_UP: "TOP_UP_KWH",
    TokenClass.SET_POWER_LIMIT: "SET_POWER_LIMIT",
    TokenClass.CLEAR_CREDIT: "CLEAR_CREDIT",
    TokenClass.CLEAR_TAMPER: "CLEAR_TAMPER",
}
_OLDER_TOP_UP: Final = "TOP_UP"
_UNKNOWN_TYPE: Final = "type must be one of"
_LONGEST_REASON: Final = 300


def _trimmed(url: str) -> str:
    return url.strip().rstrip("/")


@attrs.frozen(kw_only=True)
class NxtStsSettings:
    """What the adapter needs from outside.

    Attributes:
        url: ``STS_GENERATOR_API`` or ``NXT_STS_URL``; a slash at its end is ignored.
    """

    url: str = attrs.field(converter=_trimmed)

    def __attrs_post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise InvalidInput("STS_GENERATOR_API must be an http(s) URL", code="CONFIGURATION")


class NxtStsVendor:
    """Has tokens of EA 07 made by the service, and believes none that it has not read itself [STS-70].

    Args:
        settings: Where the service is.
        policy: Limits; nothing is repeated here, the caller does that with the same minute and nonce [STS-71].
        metrics: Where outcomes are counted.
    """

    vendor_id = "nxt-sts"
    needs_decoder_key = True

    def __init__(
        self,
        settings: NxtStsSettings,
        *,
        policy: CallPolicy = DEFAULT_POLICY,
        metrics: OutboundMetrics | None = None,
    ) -> None:
        self._url = f"{settings.url}/token"
        self._top_up_name = _NAMES[TokenClass.TOP_UP]
        self._http = HttpCaller("nxt-sts", policy, metrics=metrics, keep_alive=False, max_body_bytes=100_000)

    async def request(self, request: TokenRequest) -> str:
        """Have one token made; the same order gives the same digits, and nothing is booked anywhere [STS-5].

        Raises:
            InvalidInput: The order can't be put into a token; the service was not asked [STS-72].
            TokenRefused: The service said no, with its reason.
            TokenVendorUnavailable: Nothing came, or nothing that is the token that was ordered.
        """
        key = decoder_key(request, Algorithm.STA)
        wanted = timed_token(request, base=_BASE)
        body = _body(request, wanted, key)
        is_top_up = request.token_class is TokenClass.TOP_UP
        reply = await self._ask({**body, "type": self._top_up_name} if is_top_up else body)
        if is_top_up and self._top_up_name != _OLDER_TOP_UP and _is_unknown_type(reply):
            reply = await self._ask({**body, "type": _OLDER_TOP_UP})
            if not _is_unknown_type(reply):
                self._top_up_name = _OLDER_TOP_UP  # kept as long as this process lives [STS-69]
        return _checked(_token(reply), wanted, key)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _ask(self, body: Mapping[str, object]) -> HttpReply:
        try:
            return await self._http.request(
                "token", "POST", self._url, headers={"Accept": "application/json"}, json=body
            )
        except HttpFailed as failed:
            raise TokenVendorUnavailable(failed.message) from failed
        except Faulty as garbage:
            raise TokenBadAnswer(garbage.message) from garbage
        except FateUnknown as silent:
            raise TokenVendorUnavailable(silent.message, code="TOKEN_VENDOR_TIMEOUT") from silent
        except CallFailed as unreached:
            raise TokenVendorUnavailable(unreached.message) from unreached


def _body(request: TokenRequest, wanted: TimedToken, key: DecoderKey) -> dict[str, object]:
    """Write the order as the service reads it [STS-67]; the minute is the one that the token will carry."""
    body: dict[str, object] = {
        "type": _NAMES[request.token_class],
        "decoderKey": key.reveal(),
        "randomNumber": request.nonce,
        "issueDate": f"{minute_of_tid(wanted.tid, _BASE):%Y-%m-%dT%H:%M:%S}.000Z",
    }
    if request.token_class is TokenClass.TOP_UP:
        body["kwh"] = request.energy_kwh or Decimal(0)
    if request.token_class is TokenClass.SET_POWER_LIMIT:
        body["powerLimit"] = request.power_limit_w
    return body


def _is_unknown_type(reply: HttpReply) -> bool:
    """Whether an older deployment did not know the name of the order [STS-69]."""
    if reply.status == 200:
        return not reply.body.strip()
    return reply.status == 400 and _reason(reply).startswith(_UNKNOWN_TYPE)


def _token(reply: HttpReply) -> str:
    if reply.status == 400:
        raise TokenRefused(_reason(reply) or "the service answered HTTP 400", code="TOKEN_VENDOR_REJECTED")
    token = _member(reply, "token") if reply.status == 200 else None
    if not isinstance(token, str) or not is_token(token):
        raise TokenBadAnswer(f"nxt-sts answered HTTP {reply.status} without a token of 20 digits")
    return token


def _checked(token: str, wanted: TimedToken, key: DecoderKey) -> str:
    """Return the token if it says what was ordered, field by field [STS-57, STS-70]."""
    try:
        is_right = decode(token, key, _BASE).token == wanted
    except UnreadableToken as unreadable:
        raise TokenBadAnswer(f"nxt-sts gave a token that the meter can't read ({unreadable.code})") from unreadable
    if not is_right:
        raise TokenBadAnswer("nxt-sts gave a token that says something else than the order")
    return token


def _reason(reply: HttpReply) -> str:
    try:
        reason = _member(reply, "error")
    except TokenBadAnswer:
        return ""
    return " ".join(reason.split())[:_LONGEST_REASON] if isinstance(reason, str) else ""


def _member(reply: HttpReply, name: str) -> Json:
    try:
        body = reply.json()
    except Faulty as garbage:
        raise TokenBadAnswer(garbage.message) from garbage
    return body.get(name) if isinstance(body, Mapping) else None
