"""The checks of ``nxt doctor``; each gives findings, none fails the others."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import redis.asyncio as redis
from attrs import frozen
from sqlalchemy.exc import SQLAlchemyError

from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.secret_store import PostgresSecretStore
from nxt_adapters.system.secret_box import AesGcmBox
from nxt_domain.shared.errors import DomainError
from nxt_entrypoints.database import comparison

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nxt_entrypoints.database.migrate import Plane

_TIMEOUT_S = 5
_CLOCK_LIMIT_S = 2.0
_POSTGRES_LEAST = 15
_SHOWN = 5


@frozen(kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: Its name.
        ok: Whether it is fine.
        detail: What was found.
        advice: What to do about it, if it is not.
    """

    what: str
    ok: bool
    detail: str
    advice: str = ""


async def check_up(addresses: Mapping[str, str]) -> Sequence[Finding]:
    """Run all checks.

    Args:
        addresses: ``relational_url``, ``series_url`` and ``valkey_url``, and ``data_keys`` as in ``NXT_SECRETS_KEYS``;
            an empty one is left out.
    """
    checks = []
    for what, plane in (("relational", "relational"), ("series", "telemetry")):
        url = addresses.get(f"{what}_url", "")
        if url:
            checks.append(_database(what, url, "relational" if plane == "relational" else "telemetry"))
    if addresses.get("relational_url"):
        checks.append(_secrets(addresses["relational_url"], addresses.get("data_keys", "")))
    if addresses.get("valkey_url"):
        checks.append(_valkey(addresses["valkey_url"]))
    return [finding for findings in await asyncio.gather(*checks) for finding in findings]


async def _database(what: str, url: str, plane: Plane) -> list[Finding]:
    try:
        connection = await psycopg.AsyncConnection.connect(url, connect_timeout=_TIMEOUT_S, autocommit=True)
    except psycopg.OperationalError as error:
        advice = "check address, user and password, and that the server runs"
        return [Finding(what=f"{what} database", ok=False, detail=_first_line(error), advice=advice)]
    async with connection:
        findings = [
            _version(what, connection.info.server_version),
            await _clock(what, connection),
            await _durability(what, connection),
        ]
    return [*findings, *await asyncio.to_thread(_schema, what, url, plane)]


def _version(what: str, number: int) -> Finding:
    major = number // 10000
    return Finding(
        what=f"{what} database",
        ok=major >= _POSTGRES_LEAST,
        detail=f"PostgreSQL {major}.{number % 10000}",
        advice=f"PostgreSQL {_POSTGRES_LEAST} or newer is needed",
    )


async def _clock(what: str, connection: psycopg.AsyncConnection[Any]) -> Finding:
    """Differences matter, since tokens and leases go by time and JWT checks have no leeway (R42)."""
    before = datetime.now(UTC)
    cursor = await connection.execute("SELECT clock_timestamp()")
    row = await cursor.fetchone()
    after = datetime.now(UTC)
    server: datetime = row[0] if row else before
    off_s = (server - (before + (after - before) / 2)).total_seconds()
    return Finding(
        what=f"{what} clock",
        ok=abs(off_s) <= _CLOCK_LIMIT_S,
        detail=f"{off_s:+.3f} s from this machine",
        advice="let both machines follow NTP",
    )


async def _durability(what: str, connection: psycopg.AsyncConnection[Any]) -> Finding:
    cursor = await connection.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
    fsync, commit = await cursor.fetchone() or ("?", "?")
    return Finding(
        what=f"{what} durability",
        ok=fsync == "on" and commit != "off",
        detail=f"fsync {fsync}, synchronous_commit {commit}",
        advice="switch both on: acknowledged money must survive a crash",
    )


def _schema(what: str, url: str, plane: Plane) -> list[Finding]:
    try:
        differences = comparison.check(url, plane)
    except DomainError as error:
        return [Finding(what=f"{what} schema", ok=False, detail=str(error), advice="run: nxt db upgrade")]
    partitions = [str(one) for one in differences if one.kind == "partition"]
    others = [str(one) for one in differences if one.kind != "partition"]
    findings = [_listed(f"{what} schema", others, "as expected", "run: nxt db upgrade, then: nxt db check")]
    if plane == "relational":
        advice = "the jobs role makes them; see that it runs, or run: nxt db upgrade"
        findings.append(_listed("partitions", partitions, "three months ahead, with defaults", advice))
    return findings


def _listed(what: str, faults: Sequence[str], fine: str, advice: str) -> Finding:
    more = f" and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    detail = "; ".join(faults[:_SHOWN]) + more if faults else fine
    return Finding(what=what, ok=not faults, detail=detail, advice=advice)


async def _secrets(url: str, data_keys: str) -> list[Finding]:
    """Say whether what is stored can be opened: after a restore without its keys it can't (R59)."""
    box = AesGcmBox(data_keys or f"none:{base64.b64encode(bytes(32)).decode()}")
    engine = create_engine(url, pool_size=1, application_name="nxt doctor")
    try:
        lost = await PostgresSecretStore(engine, box).lost()
    except (DomainError, SQLAlchemyError):
        return []  # the database's own findings say what is wrong
    finally:
        await engine.dispose()
    count = sum(lost.values())
    return [
        Finding(
            what="stored secrets",
            ok=not lost,
            detail="all can be opened" if not lost else f"{count} decoder and merchant keys are lost",
            advice=f"set NXT_SECRETS_KEYS with the keys {', '.join(sorted(lost))} that they were sealed with",
        )
    ]


async def _valkey(url: str) -> list[Finding]:
    client = redis.Redis.from_url(url, socket_connect_timeout=_TIMEOUT_S, socket_timeout=_TIMEOUT_S)
    try:
        info: Mapping[str, Any] = await client.info("server")
        memory: Mapping[str, Any] = await client.info("memory")
    except redis.RedisError as error:
        advice = "check HERMES_* and that the server runs"
        return [Finding(what="valkey", ok=False, detail=_first_line(error), advice=advice)]
    finally:
        await client.aclose()
    version = info.get("valkey_version") or info.get("redis_version")
    policy = str(memory.get("maxmemory_policy"))
    return [
        Finding(what="valkey", ok=True, detail=f"version {version}"),
        Finding(
            what="valkey eviction",
            ok=policy == "noeviction",
            detail=policy,
            advice="set maxmemory-policy noeviction: evicted queues lose jobs",
        ),
    ]


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
