"""The login of the second generation: one token for all callers, renewed in time [DM-121, DM-122, DM-191]."""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Awaitable, Callable, Mapping

import attrs
import msgspec
import structlog

from nxt_adapters.calin_api.exchange import Unreadable, exchange
from nxt_adapters.calin_api.v2.pauses import pauses
from nxt_adapters.calin_api.v2.settings import CalinV2Settings
from nxt_adapters.resilience import CallFailed, CircuitOpen, HttpCaller, Overloaded
from nxt_domain.shared.errors import UpstreamFailed
from nxt_domain.shared.json import JsonObject

ALERT = "CALIN API-V2 login has failed three times in a row"
_ALERT_AFTER = 3
_TIMEOUT_S = 5.0
_MARGIN_S = 1.0
_JWT_PARTS = 3
_LAST_INSTANT = 1e15
_log = structlog.get_logger(__name__)


class LoginWatch:
    """Calls for developers when logins keep failing: once, and again only after one has succeeded [DM-191].

    Args:
        tell: Sends a text to them; None: nobody is told, as outside production. If it fails, that is logged.
    """

    def __init__(self, tell: Callable[[str], Awaitable[object]] | None = None) -> None:
        self._tell = tell
        self._failures = 0

    def succeeded(self) -> None:
        """Note a login."""
        self._failures = 0

    async def failed(self) -> None:
        """Note a login that gave no token."""
        self._failures += 1
        if self._failures != _ALERT_AFTER or self._tell is None:
            return
        try:
            await self._tell(ALERT)
        except UpstreamFailed as silent:
            _log.warning("nobody could be told of failing logins", error=silent.message)


@attrs.frozen(kw_only=True)
class _Held:
    token: str = attrs.field(repr=False)
    expires_at: float


class Login:
    """Holds the bearer token, and gets a new one when there is none: one login at a time for all callers.

    Args:
        settings: Where, and who we are.
        http: The guarded client of the service.
        watch: Is told how logins end.
        now: Unix time.
    """

    def __init__(
        self,
        settings: CalinV2Settings,
        http: HttpCaller,
        *,
        watch: LoginWatch | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._http = http
        self._watch = watch or LoginWatch()
        self._now = now
        self._held: _Held | None = None
        self._under_way: asyncio.Task[str | None] | None = None

    async def token(self) -> str | None:
        """Return a token that is good for a second at least; None: the service gave none."""
        held = self._held
        if held is not None and self._now() < held.expires_at - _MARGIN_S:
            return held.token
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.create_task(self._renew(), name="calin-v2-login")
        # One caller that gives up must not end the login of the others.
        return await asyncio.shield(self._under_way)

    def drop(self, token: str) -> None:
        """Forget a token that was refused, unless there is a newer one already."""
        if self._held is not None and self._held.token == token:
            self._held = None

    async def close(self) -> None:
        """End a login that is under way."""
        task = self._under_way
        if task is not None and not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _renew(self) -> str | None:
        self._held = None
        for pause in pauses(self._http.guard.policy.retry):
            await asyncio.sleep(pause)
            answer, is_last = await self._ask()
            self._held = None if answer is None else _token(answer)
            if self._held is not None:
                self._watch.succeeded()
                return self._held.token
            await self._watch.failed()
            if is_last:
                break
        return None

    async def _ask(self) -> tuple[JsonObject | None, bool]:
        """Ask once; tell what came, and whether asking again is pointless: only lost calls are repeated [DM-121]."""
        settings = self._settings
        body = {"userId": settings.username, "password": settings.password(), "company": settings.company}
        try:
            answer = await exchange(self._http, "login", f"{settings.url}/API/User/Login", body, timeout_s=_TIMEOUT_S)
            if not answer.is_good:
                _log.warning("CALIN API-V2 refused a login", status=answer.status)
                return None, answer.status < 500
            return answer.json(), True
        except CallFailed as failed:
            _log.warning("CALIN API-V2 login failed", error=failed.message)
            return None, isinstance(failed, CircuitOpen | Overloaded)
        except Unreadable:
            _log.warning("CALIN API-V2 answered a login with something that is no JSON")
            return None, True


def _token(answer: JsonObject) -> _Held | None:
    result = answer.get("result")
    token = result.get("token") if isinstance(result, Mapping) else None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        return None
    expires_at = expiry_of(token)
    return None if expires_at is None else _Held(token=token, expires_at=expires_at)


def expiry_of(token: str) -> float | None:
    """Read ``exp`` of a JWT without checking its signature, Unix time [DM-121]; None: it can't be read."""
    parts = token.split(".")
    if len(parts) != _JWT_PARTS:
        return None
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        claims = msgspec.json.decode(payload)
    except (binascii.Error, ValueError, RecursionError):
        return None
    expires = claims.get("exp") if isinstance(claims, dict) else None
    if isinstance(expires, bool) or not isinstance(expires, int | float) or abs(expires) > _LAST_INSTANT:
        return None
    return float(expires)
