"""The application of the API role."""

from __future__ import annotations

import attrs
from aiohttp import web
from prometheus_client import CollectorRegistry

from nxt_adapters.socketio import SocketServer
from nxt_domain.shared.idempotency import IdempotencyKeys
from nxt_entrypoints.api import (
    chirpstack,
    connections,
    credit_transfers,
    device_messages,
    flutterwave,
    gateways,
    grids,
    infrastructure,
    issues,
    lost_revenue,
    meter_interactions,
    meters,
    mppts,
    orders,
    own_order_routes,
    partners,
    payouts,
    people,
    sign_in,
    suspense,
)
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.app import HttpSettings, build_app
from nxt_entrypoints.http.guards import Gate
from nxt_entrypoints.http.operations import Readiness
from nxt_entrypoints.http.rate_limit import RateLimiter
from nxt_entrypoints.http.routes import Route

ROLE = "api"
ROUTES: tuple[Route, ...] = (
    *connections.ROUTES,
    *gateways.ROUTES,
    *grids.ROUTES,
    *infrastructure.ROUTES,
    *issues.ROUTES,
    *meters.ROUTES,
    *meter_interactions.ROUTES,
    *mppts.ROUTES,
    *lost_revenue.ROUTES,
    *payouts.ROUTES,
    *orders.ROUTES,
    *own_order_routes.ROUTES,
    *suspense.ROUTES,
    *credit_transfers.ROUTES,
    *people.ROUTES,
    *sign_in.ROUTES,
    *flutterwave.ROUTES,
    *chirpstack.ROUTES,
    *device_messages.ROUTES,
)


def build_api(
    services: ApiServices,
    *,
    gate: Gate,
    settings: HttpSettings | None = None,
    sockets: SocketServer | None = None,
    readiness: Readiness | None = None,
    limiter: RateLimiter | None = None,
    registry: CollectorRegistry | None = None,
    idempotency_keys: IdempotencyKeys | None = None,
) -> web.Application:
    """Build the API role's application; it alone answers cross-origin calls and serves sockets.

    Args:
        services: Its use cases.
        gate: Guards ``user_or_key``.
        settings: From the configuration; ``cors_origins`` defaults to all.
        sockets: Socket.IO, on the same port; None: not served.
        readiness: What ``/readyz`` probes.
        limiter: Counts public calls over all processes; None: in this process only.
        registry: Figures of the process.
        idempotency_keys: Requests that named themselves; None: names are ignored.
    """
    settings = settings or HttpSettings()
    if settings.cors_origins is None:
        settings = attrs.evolve(settings, cors_origins=("*",))
    app = build_app(
        ROLE,
        (*ROUTES, *partners.ROUTES),
        services,
        gate=gate,
        settings=settings,
        readiness=readiness,
        limiter=limiter,
        registry=registry,
        idempotency_keys=idempotency_keys,
    )
    if sockets is not None and not settings.is_hibernated:
        sockets.attach(app)
    return app
