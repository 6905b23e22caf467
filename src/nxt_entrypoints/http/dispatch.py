"""The way of one request: find, limit, admit, read, call, answer, record."""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, TypeAlias

import attrs
import structlog
from aiohttp import web
from structlog.typing import FilteringBoundLogger

from nxt_domain.identity.model import CallOrigin
from nxt_domain.shared.errors import DomainError, InvalidInput, NotFound
from nxt_domain.shared.idempotency import Answer
from nxt_entrypoints.http.body import Upload, parse, receive, receive_upload
from nxt_entrypoints.http.client import UNKNOWN, Network, bucket_of, client_address
from nxt_entrypoints.http.cors import Cors
from nxt_entrypoints.http.errors import (
    INTERNAL_MESSAGE,
    BodyIncomplete,
    BodyTooLarge,
    error_body,
    error_headers,
    is_told,
    status_of,
)
from nxt_entrypoints.http.guards import Gate
from nxt_entrypoints.http.inputs import read_body, read_path, shape_of
from nxt_entrypoints.http.observation import Exchange, HttpMetrics
from nxt_entrypoints.http.once import REPLAYED, Once, Work, named_request, replay
from nxt_entrypoints.http.patience import patiently
from nxt_entrypoints.http.rate_limit import RateLimiter
from nxt_entrypoints.http.results import Text, respond
from nxt_entrypoints.http.router import Router
from nxt_entrypoints.http.routes import Dialect, RequestFacts, Route

REQUEST_ID_HEADER = "X-Request-Id"
_Kind: TypeAlias = Any
"""A type hint of an input, which has no type of its own."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_PROCESS = os.urandom(8).hex()
_serials = itertools.count(int.from_bytes(os.urandom(4)))
_SERVER = "nxt"
NULL_CHARACTERS = "null characters are not allowed"

_log = structlog.get_logger("nxt.http")


@attrs.frozen(kw_only=True)
class Dispatcher:
    """Serves all declared routes of a role.

    Attributes:
        role: For logs and figures.
        router: Its routes.
        services: Its use cases, as handlers see them.
        gate: Its guards.
        limiter: For routes with a limit.
        once: For requests with an idempotency key; None: the role ignores keys.
        cors: None: the role sends no CORS headers [API-35].
        trusted_proxies: From which peers ``X-Forwarded-For`` is believed.
        dialect: How all paths answer that have no dialect of their own; None: as the role's API does.
        log: Of requests, bound once: to find it costs more than to write.
    """

    role: str
    router: Router
    services: object
    gate: Gate
    limiter: RateLimiter
    metrics: HttpMetrics
    once: Once | None = None
    cors: Cors | None = None
    trusted_proxies: Sequence[Network] = ()
    dialect: Dialect | None = None
    log: FilteringBoundLogger = attrs.field(factory=lambda: structlog.get_logger("nxt.http").bind())

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request; whatever happens, there is an answer and a log line."""
        started = time.perf_counter()
        exchange = self._open(request)
        # aiohttp runs each request as a task of its own, with which all that is bound ends.
        structlog.contextvars.bind_contextvars(request_id=exchange.request_id)
        running = self.metrics.running_of(self.role)
        running.number += 1
        try:
            response = await self._answer(request, exchange)
            exchange.record(self.metrics, self.log, status=response.status, seconds=time.perf_counter() - started)
        finally:
            running.number -= 1
        return response

    def _open(self, request: web.Request) -> Exchange:
        wished = request.headers.get(REQUEST_ID_HEADER, "")
        return Exchange(
            role=self.role,
            method=request.method,
            request_id=wished if _REQUEST_ID.fullmatch(wished) else _new_request_id(),
            client_address=client_address(
                request.remote, request.headers.getall("X-Forwarded-For", ()), self.trusted_proxies
            ),
            dialect=self.dialect,
        )

    async def _answer(self, request: web.Request, exchange: Exchange) -> web.StreamResponse:
        headers = {REQUEST_ID_HEADER: exchange.request_id, "Server": _SERVER}
        if self.cors is not None:
            headers |= self.cors.headers(request.headers)
            if request.method == "OPTIONS":
                return await self._preflight(request, self.cors, headers)
        try:
            return await self._serve(request, exchange, headers)
        except DomainError as error:
            overrides = exchange.route.statuses if exchange.route else {}
            return await self._refuse(request, exchange, headers, error, overrides)
        except Exception as error:  # noqa: BLE001 - the edge of the process: a defect is logged, counted and answered
            return await self._confess(request, exchange, headers, error)

    async def _preflight(self, request: web.Request, cors: Cors, headers: Mapping[str, str]) -> web.StreamResponse:
        dialect = self.router.dialect_at(request.rel_url.raw_path)
        if dialect is not None:
            return await respond(request, Text("ok"), status=200, headers={**headers, **dialect.headers})
        return web.Response(status=204, headers={**headers, **cors.preflight(request.headers)})

    def _no_route(self, request: web.Request, exchange: Exchange) -> DomainError:
        exchange.dialect = self.router.dialect_at(request.rel_url.raw_path) or self.dialect
        if exchange.dialect is not None:
            return exchange.dialect.no_method
        return NotFound(f"Cannot {request.method} {request.rel_url.raw_path}", code="NO_SUCH_ROUTE")

    async def _serve(self, request: web.Request, exchange: Exchange, headers: Mapping[str, str]) -> web.StreamResponse:
        found = self.router.find(request.method, request.rel_url.raw_path)
        if found is None:
            raise self._no_route(request, exchange)
        exchange.route, path = found
        if exchange.route.dialect is not None:
            exchange.dialect = exchange.route.dialect
            headers = {**headers, **exchange.dialect.headers}
        if exchange.route.limit is not None:
            await self.limiter.take(exchange.route.limit, bucket_of(exchange.client_address))
        exchange.principal = await self.gate.admit(exchange.route, request.headers, _origin(exchange))
        route = exchange.route
        upload = await receive_upload(request) if route.takes("upload") else None
        raw = b"" if route.takes("upload") else await receive(request, route.max_body)
        inputs = self._inputs(request, exchange, route, path=path, raw=raw, upload=upload)
        handle = partial(route.handler, **inputs)
        work: Work = handle if route.changes else partial(patiently, handle)
        named = named_request(request, route, exchange.principal, path=path, raw=raw, upload=upload)
        if named is None or self.once is None:
            return await respond(request, await work(), status=route.status, headers=headers)
        claim = await self.once.claim(named)
        if isinstance(claim, Answer):
            again = replay(claim, exchange.request_id)
            return await respond(request, again, status=claim.status, headers={**headers, **REPLAYED})
        result = await self.once.carry_out(claim, exchange, route, work)
        return await respond(request, result, status=route.status, headers=headers)

    def _inputs(
        self,
        request: web.Request,
        exchange: Exchange,
        route: Route,
        *,
        path: Mapping[str, str],
        raw: bytes,
        upload: Upload | None,
    ) -> dict[str, object]:
        context = {"caller": exchange.principal, "services": self.services, "upload": upload}
        if route.takes("facts"):
            context["facts"] = _facts(request, exchange, raw)
        return {
            name: context[name] if name in context else _read_input(name, kind, request, raw, path)
            for name, kind in route.inputs.items()
        }

    async def _refuse(
        self,
        request: web.Request,
        exchange: Exchange,
        headers: Mapping[str, str],
        error: DomainError,
        overrides: Mapping[str, int],
    ) -> web.StreamResponse:
        status = status_of(error, overrides)
        if exchange.dialect is not None:
            response = await _in_dialect(request, exchange.dialect, headers, error, status)
            return _closed_if_unread(response, error)
        if not is_told(error, status, overrides):
            return await self._confess(request, exchange, headers, error)
        if status >= 500:
            _log.warning("answered with a failure", status=status, code=error.code, exc_info=error)
        body = error_body(error, status=status, request_id=exchange.request_id)
        response = await respond(request, body, status=status, headers={**headers, **error_headers(error, status)})
        return _closed_if_unread(response, error)

    async def _confess(
        self, request: web.Request, exchange: Exchange, headers: Mapping[str, str], error: Exception
    ) -> web.StreamResponse:
        _log.error("request failed unexpectedly", route=exchange.template, exc_info=error)
        method = exchange.route.method if exchange.route else "*"
        self.metrics.defects.labels(self.role, method, exchange.template).inc()
        if exchange.dialect is not None:
            return await _in_dialect(request, exchange.dialect, headers, DomainError(INTERNAL_MESSAGE), 500)
        body = error_body(DomainError(""), status=500, request_id=exchange.request_id, is_expected=False)
        return await respond(request, body, status=500, headers=headers)


def _new_request_id() -> str:
    """Make an id that no other request has, of this process or another; nobody is kept from guessing it."""
    return f"{_PROCESS}{next(_serials):016x}"


def _closed_if_unread(response: web.StreamResponse, error: DomainError) -> web.StreamResponse:
    if isinstance(error, BodyTooLarge | BodyIncomplete):
        response.force_close()  # what is left of the body must not be taken for the next request
    return response


async def _in_dialect(
    request: web.Request, dialect: Dialect, headers: Mapping[str, str], error: DomainError, status: int
) -> web.StreamResponse:
    if status >= 500:
        _log.warning("answered with a failure", status=status, code=error.code, exc_info=error)
    own_status, body = dialect.refuse(error, status)
    return await respond(request, body, status=own_status, headers={**headers, **dialect.headers})


def _facts(request: web.Request, exchange: Exchange, raw: bytes) -> RequestFacts:
    return RequestFacts(
        request_id=exchange.request_id,
        client_address=exchange.client_address,
        raw_body=raw,
        headers=request.headers,
        query=request.query,
    )


def _origin(exchange: Exchange) -> CallOrigin:
    address = None if exchange.client_address == UNKNOWN else exchange.client_address
    return CallOrigin(request_id=exchange.request_id, address=address)


def _read_input(name: str, kind: _Kind, request: web.Request, raw: bytes, path: Mapping[str, str]) -> object:
    match name:
        case "path":
            return _read_path(kind, tuple(path.items()))
        case "query":
            return shape_of(kind).read_texts(_texts(request.query))
        case "headers":
            return shape_of(kind).read_texts(_header_fields(request.headers))
        case _:
            return read_body(kind, parse(raw, request.headers.get("Content-Type")))


@lru_cache(maxsize=4096)
def _read_path(kind: _Kind, values: tuple[tuple[str, str], ...]) -> object:
    """Read a path's parameters; dashboards ask for the same things again and again."""
    return read_path(kind, _texts(dict(values)))


def _texts(values: Mapping[str, str]) -> dict[str, str]:
    if "\x00" in "".join(values.values()):
        raise InvalidInput(NULL_CHARACTERS)
    return dict(values)


def _header_fields(headers: Mapping[str, str]) -> dict[str, str]:
    # ``verif-hash`` is read into the field ``verif_hash``; bytes that are no text can't match anything.
    return {
        name.lower().replace("-", "_"): value.encode(errors="surrogateescape").decode(errors="replace")
        for name, value in headers.items()
    }
