"""The application of the stand-alone mode."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CollectorRegistry

from nxt_entrypoints.http.app import Contract, HttpSettings, build_app
from nxt_entrypoints.http.guards import Gate
from nxt_entrypoints.http.operations import Readiness
from nxt_entrypoints.messaging.dialect import DIALECT
from nxt_entrypoints.messaging.openapi import DOCUMENT_PATH, PAGE_PATH, messaging_document
from nxt_entrypoints.messaging.routes import ROUTES, Services

NAME = "messaging"


def build_messaging(
    services: Services, *, api_key: str, readiness: Readiness, registry: CollectorRegistry
) -> web.Application:
    """Build it.

    Args:
        services: What the routes call.
        api_key: Of the command routes; empty: they are open.
        readiness: What ``/readyz`` probes.
        registry: Figures of the process.
    """
    contract = Contract(
        dialect=DIALECT, document=messaging_document(), document_path=DOCUMENT_PATH, page_path=PAGE_PATH
    )
    return build_app(
        NAME,
        ROUTES,
        services,
        gate=Gate(shared_key=api_key or None),
        settings=HttpSettings(),
        readiness=readiness,
        registry=registry,
        contract=contract,
    )
