"""Boot validation: resolve, parse, check everything at once, freeze [API-189, API-198].

This is the only code that reads the environment; everything else gets ``Settings``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from nxt_entrypoints.settings import source as sources
from nxt_entrypoints.settings.artifact import Artifact
from nxt_entrypoints.settings.connections import connections, malformed_groups
from nxt_entrypoints.settings.decode import decode
from nxt_entrypoints.settings.environment import Environment
from nxt_entrypoints.settings.overrides import apply_overrides
from nxt_entrypoints.settings.problems import ConfigInvalid, Problem
from nxt_entrypoints.settings.registry import VARIABLES, likely_mistakes
from nxt_entrypoints.settings.roles import Role
from nxt_entrypoints.settings.settings import Settings
from nxt_entrypoints.settings.tiers import Demand, binding_problems, demands, satisfied
from nxt_entrypoints.settings.variables.model import Need
from nxt_entrypoints.settings.warnings import unwise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from nxt_entrypoints.settings.settings import Value

_PORT_NAMES = {role: f"NXT_PORT_{role.value.upper()}" for role in Role}


def load_settings(
    environ: Mapping[str, str],
    roles: Sequence[Role] | None = None,
    *,
    fetch: Callable[[str], str] | None = None,
) -> Settings:
    """Read and check the whole configuration of a process.

    Args:
        environ: The environment, usually ``os.environ``.
        roles: Roles of the process, the owner of ``NXT_PORT`` first; ``None`` takes the artifact's ``roles``.
        fetch: Reads ``NXT_CONFIG_URL``; for tests.

    Raises:
        ConfigInvalid: With every problem there is. Values of variables are never part of it.
    """
    env = Environment(environ)
    if environ.get("IS_HIBERNATED") == "true":
        return _hibernated(env, tuple(roles or (Role.API,)))
    source = sources.resolve(environ, fetch)
    plain, overrides = apply_overrides(source.plain, env)
    artifact, problems = (Artifact(), ()) if source.problem else decode(Artifact, plain)
    chosen = tuple(roles) if roles is not None else artifact.roles
    wanted = _unique(demands(artifact, env, chosen))
    found = [
        *((source.problem,) if source.problem else problems),
        *binding_problems(artifact, production=env.value("NXT_ENV") == "production"),
        *_environment_problems(env, wanted, chosen),
    ]
    if found:
        raise ConfigInvalid(_sorted(found), source.shown)
    return Settings(
        artifact=artifact,
        source=source.shown,
        source_sha256=source.sha256,
        roles=chosen,
        environment=str(env.value("NXT_ENV")),
        hibernated=False,
        host=str(env.value("NXT_HOST")),
        ports=_listeners(env, chosen),
        overrides=overrides,
        warnings=(*unwise(artifact, env, chosen), *likely_mistakes(environ)),
        given=frozenset(env.texts),
        values=_values(env),
        **connections(env),
    )


def _hibernated(env: Environment, roles: tuple[Role, ...]) -> Settings:
    """Idle mode: nothing is validated, since nothing but a port is used [API-202]."""
    return Settings(
        artifact=Artifact(),
        source="none (hibernated)",
        source_sha256="",
        roles=roles,
        environment=str(env.value("NXT_ENV") or "development"),
        hibernated=True,
        host=str(env.value("NXT_HOST")),
        ports=_listeners(env, roles),
        given=frozenset(env.texts),
    )


def _environment_problems(env: Environment, wanted: Sequence[Demand], roles: Sequence[Role]) -> Iterator[Problem]:
    yield from env.clashes
    asked = {demand.name for demand in wanted}
    for demand in wanted:
        if not satisfied(env, demand):
            yield env.missing(demand.name, demand.why)
    for name in env.malformed:
        item = VARIABLES[name]
        if name in asked or (item.need is Need.OPTIONAL and item.roles & set(roles)):
            yield env.malformed_problem(name)
    yield from malformed_groups(env, asked)
    if env.is_set("DEVICE_MESSAGING_URL") and Role.API in roles and not env.is_set("DEVICE_MESSAGING_WEBHOOK_SECRET"):
        yield env.missing("DEVICE_MESSAGING_WEBHOOK_SECRET", "DEVICE_MESSAGING_URL is set: its events are signed")
    plain = str(env.values.get("VICTRON_MQTT_URL", "")).startswith("mqtt://")
    if plain and env.value("NXT_ENV") == "production" and {Role.JOBS, Role.TELEMETRY} & set(roles):
        yield Problem("env", "VICTRON_MQTT_URL", "has to be mqtts:// in production (R32)")


def _unique(wanted: Iterable[Demand]) -> tuple[Demand, ...]:
    """One demand a variable: the first that names it, for all roles that need it."""
    merged: dict[str, Demand] = {}
    for demand in wanted:
        known = merged.get(demand.name)
        if known is None:
            merged[demand.name] = demand
        elif known.by == demand.by:
            merged[demand.name] = attrs.evolve(known, roles=(*known.roles, *demand.roles))
    return tuple(merged.values())


def _sorted(problems: Iterable[Problem]) -> list[Problem]:
    order = {name: index for index, name in enumerate(VARIABLES)}
    unique = list(dict.fromkeys(problems))
    config = [problem for problem in unique if problem.kind == "config"]
    env = [problem for problem in unique if problem.kind == "env"]
    return [*config, *sorted(env, key=lambda problem: order.get(problem.where, len(order)))]


def _listeners(env: Environment, roles: Sequence[Role]) -> dict[Role, int]:
    """Ports by role: the first owns ``NXT_PORT`` (``PORT``), the others theirs if it is set [API-201]."""
    ports: dict[Role, int] = {}
    for index, role in enumerate(roles):
        first = "PORT" if role is Role.PROVISIONING else "NXT_PORT"
        value = env.value(first if index == 0 else _PORT_NAMES[role])
        if isinstance(value, int):
            ports[role] = value
    return ports


def _values(env: Environment) -> dict[str, Value]:
    read = {name: env.value(name) for name, item in VARIABLES.items() if item.need is not Need.IGNORED}
    return {name: value for name, value in read.items() if value is not None}
