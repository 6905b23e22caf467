"""All routes of all roles, for the documents that describe them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nxt_entrypoints.api import app as api
from nxt_entrypoints.http.app import role_document
from nxt_entrypoints.http.routes import Route
from nxt_entrypoints.http.schemas import JsonDict
from nxt_entrypoints.jobs import http as jobs
from nxt_entrypoints.provisioning import app as provisioning
from nxt_entrypoints.telemetry_api import app as telemetry


def routes_by_role() -> Mapping[str, Sequence[Route]]:
    """Return the declared routes of each role."""
    return {role.ROLE: role.ROUTES for role in (api, provisioning, jobs, telemetry)}


def openapi_documents() -> Mapping[str, JsonDict]:
    """Return each role's OpenAPI document, with all capabilities on (``nxt openapi``) [R54]."""
    return {role: role_document(role, routes) for role, routes in routes_by_role().items()}
