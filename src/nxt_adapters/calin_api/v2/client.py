"""Calls to the service of the second generation: bearer token, repeats where they are harmless [DM 12.1]."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from nxt_adapters.calin_api.errors import CalinApiFailed
from nxt_adapters.calin_api.exchange import (
    DEFAULT_POLICY,
    Answer,
    Unreadable,
    exchange,
    question_timeout_s,
    system_code,
)
from nxt_adapters.calin_api.v2.login import Login, LoginWatch
from nxt_adapters.calin_api.v2.pauses import pauses
from nxt_adapters.calin_api.v2.settings import PLUGIN_ID, CalinV2Settings
from nxt_adapters.calin_api.values import shortened, text
from nxt_adapters.resilience import (
    CallFailed,
    CallPolicy,
    CircuitOpen,
    HttpCaller,
    NotReached,
    OutboundMetrics,
    Overloaded,
)
from nxt_domain.shared.json import JsonObject

NO_TOKEN = "CALIN API-V2 failed to get a token"  # noqa: S105 - a sentence about tokens
NO_NEW_TOKEN = "[CALIN API-V2] Can't log in, API may be down"  # noqa: S105 - as above
UNAUTHORIZED = "[CALIN API-V2] Unauthorized after token refresh"
IS_DOWN = "CALIN API-V2 is down"

_UNAUTHORIZED = 401
_log = structlog.get_logger(__name__, module="messaging", plugin_id="calin-api-v2")


class CalinV2Client:
    """Posts to the service with its bearer token and returns whatever it answers [DM-123, DM-125].

    Args:
        settings: Address and login.
        policy: Limits; ``attempts`` are those of logins, of questions, and of calls that found no connection.
        watch: Is told how logins end [DM-191].
        metrics: Where outcomes are counted.
        now: Unix time.
    """

    def __init__(
        self,
        settings: CalinV2Settings,
        *,
        policy: CallPolicy = DEFAULT_POLICY,
        watch: LoginWatch | None = None,
        metrics: OutboundMetrics | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._http = HttpCaller(PLUGIN_ID, policy, metrics=metrics, keep_alive=False)
        self._login = Login(settings, self._http, watch=watch, now=now)

    async def ask(self, operation: str, path: str, body: object) -> JsonObject:
        """Make a read-only call: repeated on transport failures and on any non-2xx answer but 401 [DM-124].

        Raises:
            CalinApiFailed: There is no JSON answer with a 2xx status.
        """
        failure = CalinApiFailed(IS_DOWN)
        for pause in pauses(self._http.guard.policy.retry):
            await asyncio.sleep(pause)
            try:
                return await self._call(operation, path, body, is_harmless=True)
            except _Lost as lost:
                failure = lost.failure
                if not lost.is_worth_a_repeat:
                    break
        raise failure

    async def act(self, operation: str, path: str, body: object) -> JsonObject:
        """Make a call that has an effect: repeated only when no connection could be opened [DM-124].

        Raises:
            CalinApiFailed: There is no JSON answer with a 2xx status; it says whether the vendor may have acted.
        """
        try:
            return await self._call(operation, path, body, is_harmless=False)
        except _Lost as lost:
            raise lost.failure from lost

    async def close(self) -> None:
        """Close the connections."""
        await self._login.close()
        await self._http.close()

    async def _call(self, operation: str, path: str, body: object, *, is_harmless: bool) -> JsonObject:
        token = await self._login.token()
        if token is None:
            raise CalinApiFailed(NO_TOKEN)
        answer = await self._post(operation, path, body, token, is_harmless=is_harmless)
        if answer.status == _UNAUTHORIZED:
            self._login.drop(token)
            token = await self._login.token()
            if token is None:
                raise CalinApiFailed(NO_NEW_TOKEN)
            answer = await self._post(operation, path, body, token, is_harmless=is_harmless)
            if answer.status == _UNAUTHORIZED:
                self._login.drop(token)
                raise CalinApiFailed(UNAUTHORIZED, error_code=_UNAUTHORIZED)
        return _read(operation, answer)

    async def _post(self, operation: str, path: str, body: object, token: str, *, is_harmless: bool) -> Answer:
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{self.settings.url}{path}"
        try:
            return await exchange(
                self._http,
                operation,
                url,
                body,
                headers=headers,
                repeat_unreached=not is_harmless,
                timeout_s=question_timeout_s(self._http.guard.policy) if is_harmless else None,
            )
        except CallFailed as failed:
            is_refused_by_us = isinstance(failed, CircuitOpen | Overloaded)
            failure = CalinApiFailed(
                IS_DOWN, error_code=system_code(failed), may_have_acted=not isinstance(failed, NotReached)
            )
            raise _Lost(failure, is_worth_a_repeat=not is_refused_by_us) from failed


class _Lost(Exception):
    """A call without a proper answer, and whether a harmless one may go better next time."""

    def __init__(self, failure: CalinApiFailed, *, is_worth_a_repeat: bool) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.is_worth_a_repeat = is_worth_a_repeat


def _read(operation: str, answer: Answer) -> JsonObject:
    acted = answer.may_follow_an_effect
    if not answer.is_good:
        failure = CalinApiFailed(IS_DOWN, error_code=answer.status, may_have_acted=acted)
        raise _Lost(failure, is_worth_a_repeat=True)
    try:
        found = answer.json()
    except Unreadable as garbage:
        # An answer came: this is no failure of the transport, which alone is repeated.
        raise _Lost(CalinApiFailed(IS_DOWN, may_have_acted=acted), is_worth_a_repeat=False) from garbage
    if not is_success(found):
        code, reason = (shortened(text(found.get(name))) for name in ("code", "reason"))
        _log.warning("CALIN API-V2 answered otherwise than success", operation=operation, code=code, reason=reason)
    return found


def is_success(answer: JsonObject) -> bool:
    """Whether the service says that all is well."""
    return text(answer.get("code")).strip() == "0" and answer.get("reason") == "success"
