"""Which variables the three tiers require, and which bindings of the artifact cannot be [API-194 to API-197]."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from attrs import frozen

from nxt_entrypoints.settings import adapters
from nxt_entrypoints.settings.adapters import ALTERNATIVES, INTEGRATIONS, PORTS
from nxt_entrypoints.settings.problems import Problem
from nxt_entrypoints.settings.registry import VARIABLES
from nxt_entrypoints.settings.roles import Role, phrase
from nxt_entrypoints.settings.variables.model import Need

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nxt_entrypoints.settings.adapters import Adapter
    from nxt_entrypoints.settings.artifact import Artifact
    from nxt_entrypoints.settings.environment import Environment

_NOUNS = {port.path: port.noun for port in PORTS}
_CALLEES = {
    "TALOS_API": Role.PROVISIONING,
    "YETI_API": Role.TELEMETRY,
    "LOCH_API": Role.JOBS,
    "TIAMAT_API": Role.API,
    "TIAMAT_API_KEY": Role.API,
}
_SECRET_READERS = (Role.API, Role.JOBS)


@frozen
class Demand:
    """Somebody needs a variable: ``by`` names who, ``roles`` where."""

    name: str
    by: str
    roles: Sequence[Role]

    @property
    def why(self) -> str:
        """Words for the message."""
        return f"required by {self.by + ', ' if self.by else ''}{phrase(self.roles)}"


def demands(artifact: Artifact, env: Environment, roles: Sequence[Role]) -> Iterator[Demand]:
    """Everything the process needs from the environment."""
    yield from _base(artifact, roles)
    yield from _ports(roles)
    yield from _split(artifact, roles)
    for port, _, provider in artifact.bound():
        adapter = _meant(port, provider.provider)
        if adapter is not None:
            yield from _of_adapter(adapter, f'{_NOUNS[port]} provider "{adapter.id}"', roles)
    yield from _default_token_vendors(artifact, roles)
    yield from _of_integrations(artifact, roles)
    yield from _special(artifact, env, roles)


def _base(artifact: Artifact, roles: Sequence[Role]) -> Iterator[Demand]:
    local = artifact.deployment.identity.provider == "local"
    for item in VARIABLES.values():
        if item.need is not Need.BASE or item.name == "NXT_PORT":
            continue
        if local and item.name.startswith("SUPABASE_") and item.name != "SUPABASE_JWT_SECRET":
            continue  # R30: no Supabase project stands behind a local identity provider
        where = [role for role in roles if role in item.roles]
        if where:
            yield Demand(item.name, "", where)


def _ports(roles: Sequence[Role]) -> Iterator[Demand]:
    if roles[0] is not Role.PROVISIONING:
        yield Demand("NXT_PORT", "", (roles[0],))


def _split(artifact: Artifact, roles: Sequence[Role]) -> Iterator[Demand]:
    absent = set(Role) - set(roles)
    if absent and artifact.security.internal_auth == "required":
        yield Demand("INTERNAL_API_KEY", "calls between roles", roles)
    for name, callee in _CALLEES.items():
        where = [role for role in roles if role in VARIABLES[name].roles]
        if callee in absent and where:
            yield Demand(name, f"calls to the {callee} role", where)


def _of_adapter(adapter: Adapter, by: str, roles: Sequence[Role]) -> Iterator[Demand]:
    names = dict.fromkeys(name for role in roles for name in adapter.needs.get(role, ()))
    for name in names:
        yield Demand(name, by, [role for role in roles if name in adapter.needs.get(role, ())])


def _default_token_vendors(artifact: Artifact, roles: Sequence[Role]) -> Iterator[Demand]:
    metering = artifact.capabilities.metering
    if not metering.enabled:
        return
    for own, protocol in (("calin-api-v1", "CALIN_V1"), ("calin-api-v2", "CALIN_V2")):
        plugs = (adapters.find("metering.deviceAdapters", one.provider) for one in metering.device_adapters)
        if protocol in metering.token_vendors or not any(plug and plug.id == own for plug in plugs):
            continue
        vendor = adapters.find("metering.tokenVendors", own)
        if vendor is not None:
            yield from _of_adapter(vendor, f'token vendor provider "{own}"', roles)


def _of_integrations(artifact: Artifact, roles: Sequence[Role]) -> Iterator[Demand]:
    on = artifact.integrations_on()
    for integration in INTEGRATIONS:
        if integration.id in on:
            names = dict.fromkeys(name for role in roles for name in integration.needs.get(role, ()))
            for name in names:
                where = [role for role in roles if name in integration.needs.get(role, ())]
                yield Demand(name, f'integration "{integration.id}"', where)


def _special(artifact: Artifact, env: Environment, roles: Sequence[Role]) -> Iterator[Demand]:
    tree = artifact.capabilities
    readers = [role for role in roles if role in _SECRET_READERS]
    if readers and (tree.metering.enabled or tree.payments.enabled):
        yield Demand("NXT_SECRETS_KEYS", "stored decoder and merchant keys", readers)
    portal = tree.metering.enabled and tree.metering.portal_provisioning is not None
    if portal and Role.PROVISIONING in roles and env.value("CAPTCHA_SOLVER") == "http":
        for name in ("CAPTCHA_API", "CAPTCHA_API_KEY"):
            yield Demand(name, 'captcha solver "http"', (Role.PROVISIONING,))
    ussd = tree.metering.enabled and tree.metering.ussd is not None
    production = env.value("NXT_ENV") == "production"
    if ussd and production and Role.API in roles and not artifact.security.allow_unsigned_ussd:
        yield Demand("AFRICASTALKING_WEBHOOK_SECRET", "USSD in production", (Role.API,))


def satisfied(env: Environment, demand: Demand) -> bool:
    """Whether the variable, or one that stands in for it, is set."""
    if env.is_set(demand.name) or env.value(demand.name) is not None:
        return True
    if any(env.is_set(name) for name in VARIABLES[demand.name].instead):
        return True
    return all(
        any(env.is_set(name) for name in ALTERNATIVES.get(role, {}).get(demand.name, ())) for role in demand.roles
    )


def binding_problems(artifact: Artifact, *, production: bool) -> Iterator[Problem]:
    """Unknown providers, missing required ports, and what production refuses."""
    for port, path, provider in artifact.named():
        adapter = adapters.find(port, provider.provider)
        if not provider.provider:
            continue  # reported as missing by the decoder
        if adapter is None:
            known = ", ".join(adapters.known_ids(port))
            yield Problem("config", f"{path}.provider", f'unknown "{provider.provider}" (known: {known})')
        elif production and not adapter.production and artifact.enabled(port.partition(".")[0]):
            yield Problem("config", f"{path}.provider", f'"{adapter.id}" is for tests, not for production')
    yield from _repeated(artifact)
    yield from _missing_ports(artifact)
    yield from _token_conflict(artifact)
    if production:
        yield from _unlimited_pace(artifact)


def _missing_ports(artifact: Artifact) -> Iterator[Problem]:
    named = {port for port, _, _ in artifact.named()}
    for port in PORTS:
        if port.required and artifact.enabled(port.capability) and port.path not in named:
            yield Problem("config", f"capabilities.{port.path}", f"required, because {port.capability} is enabled")
    if artifact.capabilities.automation.enabled and not artifact.capabilities.production.enabled:
        yield Problem("config", "capabilities.production.enabled", "has to be true, because automation is enabled")


def _repeated(artifact: Artifact) -> Iterator[Problem]:
    seen: set[tuple[str, str]] = set()
    for port, path, provider in artifact.named():
        adapter = adapters.find(port, provider.provider)
        if adapter is None or port == "metering.tokenVendors":
            continue
        if (port, adapter.id) in seen:
            yield Problem("config", f"{path}.provider", f'"{adapter.id}" is listed twice')
        seen.add((port, adapter.id))


def _token_conflict(artifact: Artifact) -> Iterator[Problem]:
    metering = artifact.capabilities.metering
    mapped = metering.token_vendors.get("CALIN_LORAWAN")
    if metering.token_generator and mapped and mapped.provider != metering.token_generator.provider:
        yield Problem(
            "config",
            "capabilities.metering.tokenGenerator",
            "differs from tokenVendors.CALIN_LORAWAN, which means the same",
        )


def _unlimited_pace(artifact: Artifact) -> Iterator[Problem]:
    for index, plug in enumerate(artifact.capabilities.metering.device_adapters):
        path = f"capabilities.metering.deviceAdapters[{index}].tuning"
        for name, value in (
            ("minIntervalMs", plug.tuning.min_interval_ms),
            ("maxInFlight", plug.tuning.max_in_flight),
        ):
            if value == 0 and not plug.provider.startswith("stub-"):
                yield Problem("config", f"{path}.{name}", "has to be above 0 in production")


def _meant(port: str, provider: str) -> Adapter | None:
    """The adapter of an id, or of the id that a misspelt one stands for: its variables are checked at once."""
    exact = adapters.find(port, provider)
    if exact is not None or not provider:
        return exact
    close = difflib.get_close_matches(provider, adapters.known_ids(port), n=1, cutoff=0.8)
    return adapters.find(port, close[0]) if close else None
