"""The stores: do they answer, are they new enough, in time, durable, migrated, and can what is sealed be opened?"""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import psycopg
import redis.asyncio as redis
from sqlalchemy.exc import SQLAlchemyError

from nxt_adapters.supabase.deployment import deployment_faults
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.secret_store import PostgresSecretStore
from nxt_adapters.system.secret_box import AesGcmBox
from nxt_domain.shared.errors import DomainError
from nxt_entrypoints.checkup.findings import Finding, clock, first_line, look, now
from nxt_entrypoints.database import comparison
from nxt_entrypoints.database.migrate import current, head

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nxt_entrypoints.database.migrate import Plane
    from nxt_entrypoints.settings.artifact import Deployment

_TIMEOUT_S = 5
_POSTGRES_LEAST = 15
_SHOWN = 5
_NEWS_ADVICE = "let the user of HERMES_* publish and subscribe: dashboards hear nothing else"


async def database(what: str, url: str, plane: Plane) -> list[Finding]:
    """Look at one database and its schema."""
    try:
        connection = await psycopg.AsyncConnection.connect(url, connect_timeout=_TIMEOUT_S, autocommit=True)
    except psycopg.OperationalError as error:
        advice = "check address, user and password, and that the server runs"
        return [Finding(what=f"{what} database", ok=False, detail=first_line(error), advice=advice)]
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
    before = now()
    cursor = await connection.execute("SELECT clock_timestamp()")
    row = await cursor.fetchone()
    return clock(what, _difference_s(before, row[0] if row else before))


def _difference_s(before: datetime, theirs: datetime) -> float:
    """How far their clock is ahead of ours, if they looked at it half-way between question and answer."""
    return (theirs - (before + (now() - before) / 2)).total_seconds()


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
        found, newest = current(url, plane), head(plane)
        migrations = _migrations(what, found, newest)
        if not migrations.ok:
            return [migrations]
        differences = comparison.check(url, plane)
    except (DomainError, SQLAlchemyError) as error:
        return [Finding(what=f"{what} schema", ok=False, detail=first_line(error), advice="run: nxt db check")]
    partitions = [str(one) for one in differences if one.kind == "partition"]
    others = [str(one) for one in differences if one.kind != "partition"]
    advice = "somebody changed it by hand; nxt db check lists all"
    findings = [migrations, _listed(f"{what} schema", others, "as expected", advice)]
    if plane == "relational":
        advice = "the jobs role makes them; see that it runs, or run: nxt db upgrade"
        findings.append(_listed("partitions", partitions, "three months ahead, with defaults", advice))
    return findings


def _migrations(what: str, found: str | None, newest: str) -> Finding:
    is_ahead = found is not None and found > newest
    return Finding(
        what=f"{what} migrations",
        ok=found == newest,
        detail=f"at {newest}" if found == newest else f"at {found or 'none'}, this installation knows {newest}",
        advice="update this installation; the database is newer" if is_ahead else "run: nxt db upgrade",
    )


def _listed(what: str, faults: Sequence[str], fine: str, advice: str) -> Finding:
    more = f" and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    detail = "; ".join(faults[:_SHOWN]) + more if faults else fine
    return Finding(what=what, ok=not faults, detail=detail, advice=advice)


async def deployment(url: str, names: Deployment) -> list[Finding]:
    """Say whether the database knows the platform's ids as the configuration does [API-200]."""
    engine = create_engine(url, pool_size=1, application_name="nxt doctor")
    try:
        faults = await deployment_faults(
            engine, admin_organization_id=names.admin_organization_id, system_wallet_id=names.system_wallet_id
        )
    except SQLAlchemyError:
        return []  # the database's own findings say what is wrong
    finally:
        await engine.dispose()
    return [_listed("platform", faults, "known as configured", "run: nxt db seed")]


async def secrets(url: str, data_keys: str) -> list[Finding]:
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


async def valkey(url: str) -> list[Finding]:
    """Look at the broker: version, clock, what it does when it is full, and whether news travel through it."""
    client = redis.Redis.from_url(url, socket_connect_timeout=_TIMEOUT_S, socket_timeout=_TIMEOUT_S)
    try:
        info: Mapping[str, Any] = await client.info("server")
        memory: Mapping[str, Any] = await client.info("memory")
        before = now()
        seconds, micros = await client.time()
        off_s = _difference_s(before, datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micros))
        news = await look("valkey news", partial(_news, client), advice=_NEWS_ADVICE, within_s=_TIMEOUT_S)
    except redis.RedisError as error:
        advice = "check HERMES_* and that the server runs"
        return [Finding(what="valkey", ok=False, detail=first_line(error), advice=advice)]
    finally:
        await client.aclose()
    policy = str(memory.get("maxmemory_policy"))
    return [
        Finding(what="valkey", ok=True, detail=f"version {info.get('valkey_version') or info.get('redis_version')}"),
        clock("valkey", off_s),
        Finding(
            what="valkey eviction",
            ok=policy == "noeviction",
            detail=policy,
            advice="set maxmemory-policy noeviction: evicted queues lose jobs",
        ),
        news,
    ]


async def _news(client: redis.Redis) -> str:
    """Send something to ourselves, as news to dashboards go from process to process [API-160]."""
    channel = f"nxt:doctor:{token_hex(8)}"
    async with client.pubsub() as listening:
        await listening.subscribe(channel)
        while await listening.get_message(timeout=_TIMEOUT_S) is None:
            pass
        await client.publish(channel, "are you there?")
        await listening.get_message(ignore_subscribe_messages=True, timeout=_TIMEOUT_S)
    return "travel between processes"
