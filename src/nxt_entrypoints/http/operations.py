"""The endpoints that operators use on every role: alive, ready, figures, documentation [API-40]."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import attrs
import structlog
from msgspec import UNSET, UnsetType
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from nxt_entrypoints.http.docs_page import docs_page
from nxt_entrypoints.http.json import encode
from nxt_entrypoints.http.results import JSON_TYPE, Binary, Reply
from nxt_entrypoints.http.routes import OPERATIONS_TAG, Guard, Handler, Route, route

Probe = Callable[[], Awaitable[None]]
"""Touches something the role needs; raises when it is not there."""

PROBE_TIMEOUT_S = 1.0
DOCUMENT_PATH = "/openapi.json"
PAGE_PATH = "/docs"

_log = structlog.get_logger("nxt.http")


@attrs.frozen(kw_only=True)
class Readiness:
    """What makes a role ready.

    Attributes:
        probes: By name, e.g. ``primary_db``, ``timescale_db``, ``valkey``.
        warnings: Tells what an operator should mend although the role works [API-200].
        before_scrape: Brings figures up to date that are read rather than counted; what it raises fails the scrape,
            since stale figures are worse than none [DM-170].
    """

    probes: Mapping[str, Probe] = attrs.field(factory=dict)
    warnings: Callable[[], Sequence[str]] = tuple
    before_scrape: Probe | None = None

    async def failing(self) -> list[str]:
        """Run all probes at once, one second each, and return the names of those that failed."""
        results = await asyncio.gather(*(self._passes(name, probe) for name, probe in self.probes.items()))
        return [name for name, passes in zip(self.probes, results, strict=True) if not passes]

    async def _passes(self, name: str, probe: Probe) -> bool:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                await probe()
        except Exception as error:  # noqa: BLE001 - whatever a probe raises means: not ready
            _log.warning("not ready", probe=name, error=type(error).__name__)
            return False
        return True


@attrs.frozen(kw_only=True)
class ReadyState:
    """Whether a role can do its work.

    Attributes:
        failing: Names of what is away.
        warnings: What an operator should mend although the role works [API-200].
        hibernated: The role idles [API-202].
    """

    ok: bool
    failing: Sequence[str] | UnsetType = UNSET
    warnings: Sequence[str] | UnsetType = UNSET
    hibernated: bool | UnsetType = UNSET


class Operations:
    """Handlers of the operational endpoints.

    Args:
        readiness: Of the role.
        registry: Figures to show.
        is_hibernated: The role idles [API-202].
        document_path: Where the OpenAPI document is shown.
        page_path: Where its human page is shown.
        is_interactive: Whether requests can be sent from that page.
    """

    def __init__(
        self,
        *,
        readiness: Readiness,
        registry: CollectorRegistry,
        is_hibernated: bool,
        document_path: str = DOCUMENT_PATH,
        page_path: str = PAGE_PATH,
        is_interactive: bool = False,
    ) -> None:
        self._document_path = document_path
        self._page_path = page_path
        self._is_interactive = is_interactive
        self._readiness = readiness
        self._registry = registry
        self._is_hibernated = is_hibernated
        self._document = b""
        self._page = b""

    def describe(self, document: Mapping[str, Any]) -> None:
        """Take the OpenAPI document that is shown; these endpoints are part of it."""
        self._document = encode(document)
        self._page = docs_page(
            document, document_path=self._document_path, is_interactive=self._is_interactive
        ).encode()

    def routes(self) -> tuple[Route, ...]:
        """Declare the endpoints, all public."""
        return (
            _get("/healthz", "Is the process alive?")(self.healthz),
            _get("/readyz", "Can the role do its work?", answers={503: "Something it needs is away."})(self.readyz),
            _get("/metrics", "Figures in Prometheus' text format.", produces="text/plain")(self.metrics),
            _get(self._document_path, "This document.", produces="application/json")(self.openapi),
            _get(self._page_path, "The human page of this document.", produces="text/html")(self.docs),
        )

    async def healthz(self) -> dict[str, bool]:
        """Answers while the process runs."""
        return {"ok": True}

    async def readyz(self) -> Reply[ReadyState]:
        """Probes what the role uses, one second each, and names what fails."""
        if self._is_hibernated:
            return Reply(ReadyState(ok=True, hibernated=True))
        failing = await self._readiness.failing()
        warnings = self._readiness.warnings()
        state = ReadyState(ok=not failing, failing=failing or UNSET, warnings=list(warnings) or UNSET)
        return Reply(state, status=503 if failing else 200)

    async def metrics(self) -> Binary:
        """Shows the process's figures."""
        if self._readiness.before_scrape is not None:
            await self._readiness.before_scrape()
        return Binary(content=generate_latest(self._registry), content_type=CONTENT_TYPE_LATEST)

    async def openapi(self) -> Binary:
        """Lists all routes of this role."""
        return Binary(content=self._document, content_type=JSON_TYPE)

    async def docs(self) -> Binary:
        """Needs no network, script or font."""
        return Binary(content=self._page, content_type="text/html; charset=utf-8")


def _get(
    path: str, summary: str, *, answers: Mapping[int, str] | None = None, produces: str | None = None
) -> Callable[[Handler], Route]:
    tags = (OPERATIONS_TAG,)
    return route("GET", path, guard=Guard.PUBLIC, summary=summary, tags=tags, answers=answers, produces=produces)
