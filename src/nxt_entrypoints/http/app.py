"""From declared routes to an aiohttp application."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

import attrs
from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry

from nxt_domain.shared.idempotency import IdempotencyKeys
from nxt_entrypoints.http.client import networks
from nxt_entrypoints.http.cors import Cors
from nxt_entrypoints.http.dispatch import Dispatcher
from nxt_entrypoints.http.guards import Gate
from nxt_entrypoints.http.observation import metrics_of
from nxt_entrypoints.http.once import Once
from nxt_entrypoints.http.openapi import openapi_document
from nxt_entrypoints.http.operations import DOCUMENT_PATH, PAGE_PATH, Operations, Readiness
from nxt_entrypoints.http.rate_limit import METER_SEARCH, PUBLIC_ORDERS, SIGN_IN, LocalRateLimiter, RateLimiter
from nxt_entrypoints.http.router import Router
from nxt_entrypoints.http.routes import Dialect, Route
from nxt_entrypoints.http.schemas import JsonDict


class _EveryPath(web.PlainResource):
    """What aiohttp finds for each path: to find nothing costs it more, and the paths are matched by our own router."""

    def _match(self, path: str) -> dict[str, str]:
        return {}


@attrs.frozen(kw_only=True)
class HttpSettings:
    """What the frame takes from the configuration.

    Attributes:
        cors_origins: ``security.corsOrigins``; None: the role sends no CORS headers.
        trusted_proxies: ``security.trustedProxies``, networks in CIDR notation.
        public_requests_per_minute: ``security.publicRequestsPerMinute`` [R8].
        capabilities: Those that are on; None: all. Routes of the others don't exist [API-194].
        is_hibernated: ``IS_HIBERNATED`` [API-202].
    """

    cors_origins: Sequence[str] | None = None
    trusted_proxies: Sequence[str] = ()
    public_requests_per_minute: int = 30
    capabilities: frozenset[str] | None = None
    is_hibernated: bool = False

    @property
    def limits(self) -> dict[str, int]:
        """Calls per minute and address, by bucket."""
        return dict.fromkeys((PUBLIC_ORDERS, METER_SEARCH, SIGN_IN), self.public_requests_per_minute)


@attrs.frozen(kw_only=True)
class Contract:
    """The contract of an application that is none of the roles [R40].

    Attributes:
        dialect: How its refusals look.
        document: Its OpenAPI document.
        document_path: Where that is shown.
        page_path: Where its human page is shown, from which requests can be sent.
    """

    dialect: Dialect
    document: JsonDict
    document_path: str
    page_path: str


def build_app(
    role: str,
    routes: Sequence[Route],
    services: object,
    *,
    gate: Gate,
    settings: HttpSettings | None = None,
    readiness: Readiness | None = None,
    limiter: RateLimiter | None = None,
    registry: CollectorRegistry | None = None,
    idempotency_keys: IdempotencyKeys | None = None,
    contract: Contract | None = None,
) -> web.Application:
    """Build the application of a role: its routes and the operational endpoints.

    Args:
        role: ``api``, ``provisioning``, ``jobs`` or ``telemetry``.
        routes: The role's declarations.
        services: The role's use cases; handlers that take ``services`` get this object.
        gate: The role's guards.
        settings: From the configuration.
        readiness: What ``/readyz`` probes.
        limiter: Counts calls of limited routes; None: in this process only.
        registry: Figures of the process, shown at ``/metrics``; None: a fresh one.
        idempotency_keys: Requests that named themselves; None: names are ignored.
        contract: Where the application has one of its own; None: that of all roles.

    Raises:
        ValueError: Two routes coincide, or a network is malformed.
    """
    settings = settings or HttpSettings()
    registry = registry or CollectorRegistry()
    operations = Operations(
        readiness=readiness or Readiness(),
        registry=registry,
        is_hibernated=settings.is_hibernated,
        document_path=DOCUMENT_PATH if contract is None else contract.document_path,
        page_path=PAGE_PATH if contract is None else contract.page_path,
        is_interactive=contract is not None,
    )
    served = (*_enabled(routes, settings), *operations.routes())
    document = openapi_document(role, served, version=software_version()) if contract is None else contract.document
    operations.describe(document)
    dispatcher = Dispatcher(
        role=role,
        router=Router(served),
        services=services,
        gate=gate,
        limiter=limiter or LocalRateLimiter(settings.limits),
        metrics=metrics_of(registry),
        once=None if idempotency_keys is None else Once(idempotency_keys),
        cors=None if settings.cors_origins is None else Cors(settings.cors_origins),
        trusted_proxies=networks(settings.trusted_proxies),
        dialect=None if contract is None else contract.dialect,
    )

    @web.middleware
    async def whatever_nobody_else_takes(request: web.Request, handler: Handler) -> web.StreamResponse:
        # Targets that are no paths, such as ``*``.
        is_ours = request.match_info.http_exception is not None
        return await (dispatcher.handle(request) if is_ours else handler(request))

    # Bodies are bounded per route, by the dispatcher.
    app = web.Application(client_max_size=0, middlewares=[whatever_nobody_else_takes])
    every_path = _EveryPath("/")
    every_path.add_route("*", dispatcher.handle)
    app.router.register_resource(every_path)
    return app


def role_document(role: str, routes: Sequence[Route]) -> JsonDict:
    """Return a role's OpenAPI document, as the running role serves it with all capabilities on."""
    operations = Operations(readiness=Readiness(), registry=CollectorRegistry(), is_hibernated=False)
    return openapi_document(role, (*routes, *operations.routes()), version=software_version())


def software_version() -> str:
    """Return the installed version; ``0`` from a bare checkout."""
    try:
        return version("nxt-backend")
    except PackageNotFoundError:
        return "0"


def _enabled(routes: Sequence[Route], settings: HttpSettings) -> Sequence[Route]:
    if settings.is_hibernated:
        return ()
    enabled = settings.capabilities
    return [route for route in routes if route.capability is None or enabled is None or route.capability in enabled]
