"""``Idempotency-Key``: a request that is sent again is not carried out again [REL-155, R42]."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import attrs
import structlog
from aiohttp import web

from nxt_domain.identity.model import CredentialKind, Principal
from nxt_domain.shared.errors import DomainError
from nxt_domain.shared.idempotency import (
    Answer,
    Claim,
    IdempotencyKeys,
    KeyedRequest,
    keyed_request,
    stored_answer,
    working_on,
)
from nxt_domain.shared.json import canonical
from nxt_entrypoints.http.body import Upload, parse
from nxt_entrypoints.http.errors import error_body, is_told, status_of
from nxt_entrypoints.http.json import MalformedJson, stored
from nxt_entrypoints.http.observation import Exchange
from nxt_entrypoints.http.results import Reply
from nxt_entrypoints.http.routes import Route

KEY_HEADER = "Idempotency-Key"
REPLAYED: Mapping[str, str] = {"Idempotency-Replayed": "true"}

Work = Callable[[], Awaitable[object]]

_log = structlog.get_logger("nxt.http")


@attrs.frozen
class Once:
    """Carries keyed requests out once.

    Attributes:
        keys: Where they are kept.
    """

    keys: IdempotencyKeys

    async def claim(self, request: KeyedRequest) -> Answer | Claim:
        """Claim a request's key, or return the answer that it got the first time.

        Raises:
            Conflict: The key names another request, or one without an answer.
            Unavailable: The store can't be reached; nothing is carried out.
        """
        found = await self.keys.claim(request)
        return found if isinstance(found, Claim) else stored_answer(found, request)

    async def carry_out(self, claim: Claim, exchange: Exchange, route: Route, work: Work) -> object:
        """Run the work of a claimed request and keep its answer, a refusal included; a failure frees the key."""
        try:
            with working_on(claim):
                result = await work()
        except DomainError as error:
            status = status_of(error, route.statuses)
            if is_told(error, status, route.statuses) and status not in {502, 503}:
                body = error_body(error, status=status, request_id=exchange.request_id)
                await self._keep(claim, status, body)
            else:
                await self._free(claim)
            raise
        except Exception:
            await self._free(claim)
            raise
        status, body_of_result = (result.status, result.result) if isinstance(result, Reply) else (route.status, result)
        await self._keep(claim, status, body_of_result)
        return result

    async def _keep(self, claim: Claim, status: int, result: object) -> None:
        # The work is done and durable: whatever goes wrong here must not hide its answer.
        try:
            await self.keys.complete(claim, Answer(status=status, body=stored(result)))
        except Exception as error:  # noqa: BLE001 - see above
            _log.warning("an answer could not be kept", exc_info=error)

    async def _free(self, claim: Claim) -> None:
        try:
            await self.keys.release(claim)
        except DomainError as error:  # the claim lapses by itself
            _log.warning("an idempotency key could not be freed", exc_info=error)


def named_request(
    request: web.Request,
    route: Route,
    caller: Principal | None,
    *,
    path: Mapping[str, str],
    raw: bytes,
    upload: Upload | None,
) -> KeyedRequest | None:
    """Read the name that a request gives itself; None: it has none, or the route takes none.

    Args:
        request: Its headers and query.
        route: The route that was found.
        caller: Whose key it is; None: a shared key of a network server, which names nothing.
        path: Values of the path's parameters.
        raw: The body, as received and already found to be well-formed.
        upload: The file that was received in place of a body.

    Raises:
        InvalidInput: The key is malformed.
    """
    key = request.headers.get(KEY_HEADER)
    if key is None or caller is None or not route.is_keyed:
        return None
    query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
    is_key = caller.kind is CredentialKind.KEY
    body = _canonical_body(raw, request.headers.get("Content-Type")) if route.takes("body") else raw
    return keyed_request(
        scope=f"key:{caller.api_key_id}" if is_key else f"account:{caller.account_id}",
        key=key,
        method=route.method,
        path=route.path.format_map(path) + query,
        body=body if upload is None else upload.content,
    )


def _canonical_body(raw: bytes, content_type: str | None) -> bytes:
    try:
        return canonical(parse(raw, content_type))
    except RecursionError as error:
        raise MalformedJson("JSON is nested too deeply") from error


def replay(answer: Answer, request_id: str) -> Reply[object]:
    """Give an answer again; an error body names the present request."""
    is_error = answer.status >= 400 and isinstance(answer.body, Mapping)
    body = {**answer.body, "requestId": request_id} if is_error and isinstance(answer.body, Mapping) else answer.body
    return Reply(body, status=answer.status)
