"""HTTP of the jobs role."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CollectorRegistry

from nxt_entrypoints.http.app import HttpSettings, build_app
from nxt_entrypoints.http.guards import Gate
from nxt_entrypoints.http.operations import Readiness
from nxt_entrypoints.http.routes import Route

ROLE = "jobs"
ROUTES: tuple[Route, ...] = ()


def build_jobs(
    *,
    gate: Gate,
    settings: HttpSettings | None = None,
    readiness: Readiness | None = None,
    registry: CollectorRegistry | None = None,
) -> web.Application:
    """Build the jobs role's application: the operational endpoints, while it has no routes of its own.

    Args:
        gate: Guards ``internal``.
        settings: From the configuration.
        readiness: What ``/readyz`` probes.
        registry: Figures of the process.
    """
    return build_app(ROLE, ROUTES, None, gate=gate, settings=settings, readiness=readiness, registry=registry)
