"""Calls to the service of the first generation: no login, one attempt, exact failures [DM 11.1]."""

from __future__ import annotations

from collections.abc import Mapping

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
from nxt_adapters.calin_api.v1.settings import PLUGIN_ID, CalinV1Settings, User
from nxt_adapters.calin_api.values import reason_of, shortened, text
from nxt_adapters.resilience import CallFailed, CallPolicy, HttpCaller, NotReached, OutboundMetrics
from nxt_domain.shared.json import Json, JsonObject

IS_PAGE = "[CALIN API-V1] responded with a HTML page.."
IS_DOWN = "[CALIN API-V1] is down"
REFUSED = "[CALIN API-V1] could not be reached, connection was refused"
RESET = "[CALIN API-V1] abruptly closed its end of the connection"

_TEXTS = {"ECONNREFUSED": REFUSED, "ECONNRESET": RESET}
_USUAL_CODES = frozenset({"", "0", "00", "99"})
_log = structlog.get_logger(__name__, module="messaging", plugin_id="calin-api-v1")


class CalinV1Client:
    """Posts to the service and returns whatever it answers [DM-108, DM-109]. It never repeats a call [DM-111].

    Args:
        settings: Address and logins.
        policy: Limits; its retries are not used.
        metrics: Where outcomes are counted.
    """

    def __init__(
        self,
        settings: CalinV1Settings,
        *,
        policy: CallPolicy = DEFAULT_POLICY,
        metrics: OutboundMetrics | None = None,
    ) -> None:
        self.settings = settings
        self._http = HttpCaller(PLUGIN_ID, policy, metrics=metrics, keep_alive=False)

    async def post(
        self,
        operation: str,
        path: str,
        body: Mapping[str, object],
        *,
        is_question: bool = False,
        is_simulated: bool = False,
    ) -> JsonObject:
        """Call the service.

        Args:
            operation: Label of metrics, from a small fixed set.
            path: Below the base URL.
            body: The request, credentials included.
            is_question: Whether it has no effect over there, so that less patience is enough.
            is_simulated: Whether the call is about a simulated meter, and goes to ``simulator_url`` [DM-190].

        Raises:
            CalinApiFailed: There is no JSON answer with a 2xx status [DM-110].
        """
        base = self.settings.simulator_url if is_simulated else self.settings.url
        try:
            limit_s = question_timeout_s(self._http.guard.policy) if is_question else None
            answer = await exchange(self._http, operation, f"{base}{path}", body, timeout_s=limit_s)
        except CallFailed as failed:
            raise _unanswered(failed) from failed
        found = _read(answer)
        _mention_code(operation, found)
        return found

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def credentials(company: str, user: User) -> dict[str, object]:
    """Write the three fields that open the bodies of tasks [DM 11.2]."""
    return {"CompanyName": company, "UserName": user.name, "Password": user.password()}


def _read(answer: Answer) -> JsonObject:
    acted = answer.may_follow_an_effect
    if answer.is_page:
        raise CalinApiFailed(IS_PAGE, error_code=answer.status, may_have_acted=acted)
    if not answer.is_good:
        raise CalinApiFailed(_down(answer), error_code=answer.status, may_have_acted=acted)
    try:
        return answer.json()
    except Unreadable as garbage:
        raise CalinApiFailed(IS_DOWN, may_have_acted=acted) from garbage


def _down(answer: Answer) -> str:
    try:
        message = reason_of(answer.json().get("Message"))
    except Unreadable:
        message = ""
    return f"{IS_DOWN}: {message}" if message else IS_DOWN


def _unanswered(failed: CallFailed) -> CalinApiFailed:
    code = system_code(failed)
    may_have_acted = not isinstance(failed, NotReached)
    return CalinApiFailed(_TEXTS.get(code or "", IS_DOWN), error_code=code, may_have_acted=may_have_acted)


def _mention_code(operation: str, found: JsonObject) -> None:
    """Log a code that means nothing to us; the answer is used all the same [DM-109]."""
    code: Json = found.get("ResultCode", found.get("result_code"))
    if text(code).strip() not in _USUAL_CODES:
        _log.warning("CALIN API-V1 answered with a code", operation=operation, code=shortened(text(code)))
