"""The effective-configuration report [API-199]: what a process runs with, without any secret.

Of a variable it says ``set`` or ``default``, never its value or length; of a store its host, never the user.
"""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nxt_entrypoints.settings.artifact import SCHEMA_VERSION
from nxt_entrypoints.settings.registry import VARIABLES
from nxt_entrypoints.settings.variables.model import Need

if TYPE_CHECKING:
    from nxt_entrypoints.settings.settings import Settings

CAPABILITIES = (
    "production",
    "metering",
    "payments",
    "notifications",
    "fieldOperations",
    "automation",
)
TOKEN_PROTOCOLS = ("CALIN_LORAWAN", "CALIN_V1", "CALIN_V2")


def software_version() -> str:
    """Version of the installed distribution; ``unknown`` in a bare checkout."""
    try:
        return metadata.version("nxt-backend")
    except metadata.PackageNotFoundError:
        return "unknown"


def effective_report(settings: Settings) -> dict[str, Any]:
    """The report as plain data, ready for JSON and for a log line."""
    return {
        "source": settings.source,
        "sha256": settings.source_sha256,
        "schema_version": SCHEMA_VERSION,
        "software_version": software_version(),
        "roles": [role.value for role in settings.roles],
        "listeners": {role.value: f"{settings.host}:{port}" for role, port in settings.ports.items()},
        "environment": settings.environment,
        "jobs": "on" if settings.jobs_enabled else "off",
        "identity": settings.artifact.deployment.identity.provider,
        "admin_organization_id": settings.artifact.deployment.admin_organization_id,
        "system_wallet_id": settings.artifact.deployment.system_wallet_id,
        "capabilities": {name: _capability(settings, name) for name in CAPABILITIES},
        "integrations": list(settings.artifact.integrations_on()),
        "overrides": dict(settings.overrides),
        "stores": {
            "relational": _address(settings.relational_url),
            "series": _address(settings.series_url),
            "valkey": _address(settings.valkey_url),
        },
        "variables": _variables(settings),
        "warnings": list(settings.warnings),
    }


def report_lines(report: dict[str, Any]) -> list[str]:
    """The report for people: a line for each fact."""
    lines = [
        f"source          {report['source']} (sha256 {report['sha256'][:12]}…, schema {report['schema_version']})",
        f"version         {report['software_version']}",
        f"roles           {', '.join(report['roles'])}",
        f"environment     {report['environment']}, jobs {report['jobs']}, identity {report['identity']}",
        f"organization    {report['admin_organization_id']}, system wallet {report['system_wallet_id']}",
    ]
    lines += [f"listens         {role} on {where}" for role, where in report["listeners"].items()]
    for name, capability in report["capabilities"].items():
        bound = ", ".join(f"{port}={ids}" for port, ids in capability["bound"].items())
        lines.append(f"{name:<15} {'on' if capability['enabled'] else 'off'}{'  ' + bound if bound else ''}")
    lines.append(f"integrations    {', '.join(report['integrations']) or 'none'}")
    lines += [f"{name:<15} {where or 'not used'}" for name, where in report["stores"].items()]
    lines += [f"override        {path} from {name}" for path, name in report["overrides"].items()]
    lines += [f"{state:<15} {name}" for name, state in report["variables"].items()]
    lines += [f"warning         {text}" for text in report["warnings"]]
    return lines


def _capability(settings: Settings, name: str) -> dict[str, Any]:
    bound: dict[str, Any] = {}
    for port, _, provider in settings.artifact.bound():
        if port.partition(".")[0] == name and port not in ("metering.tokenVendors", "metering.tokenGenerator"):
            bound.setdefault(port.partition(".")[2], []).append(provider.provider)
    shown = {port: ",".join(ids) for port, ids in bound.items()}
    if name == "metering" and settings.artifact.enabled(name):
        for protocol in TOKEN_PROTOCOLS:
            vendor = settings.artifact.capabilities.metering.token_vendor(protocol)
            shown[f"tokens.{protocol}"] = vendor.provider
    return {"enabled": settings.artifact.enabled(name), "bound": shown}


def _variables(settings: Settings) -> dict[str, str]:
    """Variables the process uses: those that are set, and those whose default stands in."""
    roles = set(settings.roles)
    used = {}
    for name, item in VARIABLES.items():
        if item.need in (Need.IGNORED, Need.MIGRATION) or not item.roles & roles:
            continue
        if name in settings.given:
            used[name] = "set"
        elif item.default is not None:
            used[name] = "default"
    return used


def _address(url: str) -> str:
    if not url:
        return ""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.hostname or 'socket'}{port}{parts.path}"
