"""Values of the artifact that may also be given as a variable, which then wins [API-204]."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nxt_entrypoints.settings.environment import Environment

_PATHS = {
    "PLATFORM_ORGANIZATION_ID": "deployment.adminOrganizationId",
    "BANKING_SYSTEM_WALLET_ID": "deployment.systemWalletId",
    "AYRTON_URL": "deployment.frontendBaseUrl",
    "SITE_SUBMISSION_EMAIL": "deployment.contacts.siteSubmissions",
    "SENDGRID_FROM_EMAIL": "deployment.contacts.mailFrom",
    "JOBS_ENABLED": "jobs.enabled",
}
_OPEN_ROUTE = "GET /lost-revenue/{id}"


def apply_overrides(plain: object, env: Environment) -> tuple[object, dict[str, str]]:
    """Put the overriding values into a copy of the document.

    Malformed variables override nothing; they are reported on their own.

    Returns:
        The document, and the paths that were overridden with the name of the variable.
    """
    if not isinstance(plain, dict):
        return plain, {}
    document = copy.deepcopy(plain)
    done = {
        path: name
        for name, path in _PATHS.items()
        if name in env.values and _put(document, path.split("."), env.values[name])
    }
    if env.values.get("LOST_REVENUE_PUBLIC") is True and _open_route(document):
        done["security.legacyOpenRoutes"] = "LOST_REVENUE_PUBLIC"
    return document, done


def _put(document: dict[str, object], path: list[str], value: object) -> bool:
    *parents, last = path
    here: object = document
    for parent in parents:
        here = here.setdefault(parent, {}) if isinstance(here, dict) else None
    if not isinstance(here, dict):
        return False  # the document is malformed there, which the decoder reports
    here[last] = value
    return True


def _open_route(document: dict[str, object]) -> bool:
    security = document.setdefault("security", {})
    if not isinstance(security, dict):
        return False
    routes = security.setdefault("legacyOpenRoutes", [])
    if not isinstance(routes, list):
        return False
    if _OPEN_ROUTE not in routes:
        routes.append(_OPEN_ROUTE)
    return True
