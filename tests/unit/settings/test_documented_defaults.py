"""The artifact as the specification prints it, and who may read the environment."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import nxt_adapters
import nxt_domain
from nxt_entrypoints.settings.artifact import Artifact
from nxt_entrypoints.settings.decode import decode

OFF: dict[str, object] = {"enabled": False}
DOCUMENTED = {
    "$schemaVersion": "1",
    "deployment": {
        "adminOrganizationId": 2,
        "systemWalletId": 968,
        "defaultTimezone": "Africa/Lagos",
        "placeholderEmailDomain": "gmail.com",
        "contacts": {"siteSubmissions": None, "software": None, "mailFrom": None},
        "frontendBaseUrl": None,
    },
    "public": {"platformName": "NXT", "messages": {}},
    "capabilities": {
        "production": {**OFF, "energyMonitoring": None, "forecast": None, "routerMonitoring": None},
        "metering": {**OFF, "deviceAdapters": [], "tokenGenerator": None, "portalProvisioning": None, "ussd": None},
        "payments": {**OFF, "providers": [], "exchangeRates": None},
        "notifications": {**OFF, "channels": []},
        "fieldOperations": {**OFF, "surveys": None, "documents": None, "issueTracker": None},
        "automation": {**OFF, "solver": None},
    },
    "integrations": {
        "loki": OFF,
        "sentry": OFF,
        "grafana": OFF,
        "telegramTopups": OFF,
        "softwareAlerts": OFF,
        "accountingExport": OFF,
        "revenueReports": {**OFF, "organizationIds": []},
    },
    "security": {
        "corsOrigins": ["*"],
        "internalAuth": "required",
        "socketAuth": "off",
        "acceptPlaintextApiKeys": True,
        "allowTenantValueTokens": False,
        "debugRoutes": False,
        "legacyOpenRoutes": [],
        "trustedProxies": [],
    },
    "jobs": {"enabled": None},
    "roles": ["api"],
}


def test_the_documented_defaults_are_the_defaults() -> None:
    """[API-191] Written out in full, the document says the same as an empty one."""
    written, problems = decode(Artifact, DOCUMENTED)
    assert problems == ()
    assert written == decode(Artifact, {"$schemaVersion": "1"})[0]
    changed, _ = decode(Artifact, DOCUMENTED | {"roles": ["jobs"]})
    assert changed != written


@pytest.mark.parametrize("package", [nxt_domain, nxt_adapters], ids=lambda package: package.__name__)
def test_the_inner_packages_read_no_environment(package: object) -> None:
    """[API-187] What they need of a deployment comes by their constructors."""
    folder = Path(str(package.__file__)).parent  # type: ignore[attr-defined]  # a package has one
    readers = [path for path in folder.rglob("*.py") if _reads_environment(path)]
    assert [path.relative_to(folder).as_posix() for path in readers] == []


def _reads_environment(path: Path) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return bool(names & {"environ", "environb", "getenv"})
