"""Addresses of the stores, from one URL or from their parts (R31)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from nxt_entrypoints.settings.environment import Environment
from nxt_entrypoints.settings.problems import ConfigInvalid, Problem
from nxt_entrypoints.settings.settings import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DATABASES = {"production": 0, "staging": 1}
_OTHER_DATABASE = 2
_PARTS = ("HOST", "PORT", "USERNAME", "PASSWORD", "NAME")
_MIGRATION = {
    "HOST": "DATABASE_URL",
    "PORT": "DATABASE_PORT",
    "USERNAME": "DATABASE_USERNAME",
    "PASSWORD": "DATABASE_PASSWORD",
    "NAME": "DATABASE_DB_NAME",
}


class Connections(TypedDict):
    """The store addresses of ``Settings``."""

    relational: Secret
    series: Secret
    valkey: Secret
    migration: Secret


def connections(env: Environment) -> Connections:
    """All store addresses; an address of which parts are missing is empty."""
    relational = _postgres(env, "NXT_DB")
    return Connections(
        relational=Secret(relational),
        series=Secret(_postgres(env, "NXT_TIMESCALE_DB")),
        valkey=Secret(_valkey(env)),
        migration=Secret(_migration(env, relational)),
    )


def malformed_groups(env: Environment, asked: set[str]) -> Iterator[Problem]:
    """Malformed URLs that stand in for parts the process needs; the parts' own problems come by name."""
    for url, host in (
        ("NXT_DB_URL", "NXT_DB_HOST"),
        ("NXT_TIMESCALE_DB_URL", "NXT_TIMESCALE_DB_HOST"),
        ("HERMES_URL", "HERMES_HOST"),
    ):
        if host in asked and url in env.malformed:
            yield env.malformed_problem(url)


def database_urls(environ: Mapping[str, str]) -> tuple[str, str]:
    """Addresses for the migration tool alone: relational (as its owner, R14) and series (may be empty).

    Raises:
        ConfigInvalid: When parts of the relational address are missing or malformed.
    """
    env = Environment(environ)
    relational = _migration(env, _postgres(env, "NXT_DB"))
    problems = [
        env.malformed_problem(name)
        for name in env.malformed
        if name.startswith(("NXT_DB_", "NXT_TIMESCALE_DB_", "DATABASE_"))
    ]
    if not relational:
        problems += [
            env.missing(f"NXT_DB_{part}", f"or {_MIGRATION[part]} or NXT_DB_URL; required by migrations")
            for part in _PARTS
            if not env.is_set(f"NXT_DB_{part}") and not env.is_set(_MIGRATION[part])
        ]
    if problems:
        raise ConfigInvalid(problems, "environment")
    return relational, _postgres(env, "NXT_TIMESCALE_DB")


def _postgres(env: Environment, prefix: str) -> str:
    url = env.value(f"{prefix}_URL")
    if isinstance(url, str):
        return url
    parts = {part: env.value(f"{prefix}_{part}") for part in _PARTS}
    return _assembled(parts)


def _migration(env: Environment, relational: str) -> str:
    if not any(env.is_set(name) for name in _MIGRATION.values()):
        return relational
    base = _split(relational) if relational else dict.fromkeys(_PARTS)
    parts = {part: env.value(_MIGRATION[part]) or base[part] for part in _PARTS}
    return _assembled(parts)


def _split(url: str) -> dict[str, object]:
    parts = urlsplit(url)
    return {
        "HOST": parts.hostname,
        "PORT": parts.port or 5432,
        "USERNAME": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "NAME": unquote(parts.path.lstrip("/")),
    }


def _assembled(parts: Mapping[str, object]) -> str:
    if not all(parts[part] for part in ("HOST", "PORT", "USERNAME", "NAME")):
        return ""
    user, password = quote(str(parts["USERNAME"]), safe=""), quote(str(parts["PASSWORD"] or ""), safe="")
    host = f"[{parts['HOST']}]" if ":" in str(parts["HOST"]) else parts["HOST"]
    return f"postgresql://{user}:{password}@{host}:{parts['PORT']}/{quote(str(parts['NAME']), safe='')}"


def _valkey(env: Environment) -> str:
    number = _DATABASES.get(str(env.value("NXT_ENV")), _OTHER_DATABASE)
    url = env.value("HERMES_URL")
    if isinstance(url, str):
        parts = urlsplit(url)
        return url if parts.path.strip("/") else urlunsplit(parts._replace(path=f"/{number}"))
    if not (env.is_set("HERMES_HOST") and env.is_set("HERMES_PORT")):
        return ""
    scheme = "rediss" if env.value("HERMES_TLS") else "redis"
    user, password = (quote(str(env.value(f"HERMES_{part}") or ""), safe="") for part in ("USERNAME", "PASSWORD"))
    return f"{scheme}://{user}:{password}@{env.value('HERMES_HOST')}:{env.value('HERMES_PORT')}/{number}"
