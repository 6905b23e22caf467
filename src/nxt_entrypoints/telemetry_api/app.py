"""The application of the telemetry role."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CollectorRegistry

from nxt_entrypoints.http.app import HttpSettings, build_app
from nxt_entrypoints.http.guards import Gate
from nxt_entrypoints.http.operations import Readiness
from nxt_entrypoints.http.routes import Route
from nxt_entrypoints.telemetry_api import hourly_reports
from nxt_entrypoints.telemetry_api.services import TelemetryServices

ROLE = "telemetry"
ROUTES: tuple[Route, ...] = (*hourly_reports.ROUTES,)


def build_telemetry(
    services: TelemetryServices,
    *,
    gate: Gate,
    settings: HttpSettings | None = None,
    readiness: Readiness | None = None,
    registry: CollectorRegistry | None = None,
) -> web.Application:
    """Build the telemetry role's application.

    Args:
        services: Its use cases.
        gate: Guards ``internal`` and ``data_key``.
        settings: From the configuration.
        readiness: What ``/readyz`` probes.
        registry: Figures of the process.
    """
    return build_app(ROLE, ROUTES, services, gate=gate, settings=settings, readiness=readiness, registry=registry)
