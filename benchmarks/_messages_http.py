"""Messages enqueued over HTTP, beside a bare handler that inserts the same row; a part of ``messages.py``."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import median

import attrs
import psycopg
from _harness import progress
from _http_load import Answers, Load, measure, request
from _http_servers import Server, bare_enqueue, messaging
from _messages_engine import PLUGIN_ID
from _postgres import ServerCpu
from sqlalchemy.engine import make_url

from nxt_entrypoints.database.migrate import upgrade
from nxt_entrypoints.embedded.stack import EmbeddedStack

_DATABASE = "nxt_bench_messages"
_REQUESTS = 5_000
_WARM_UP_S = 0.5  # the load generator's own, whose CPU is in the servers' figures
BARE, ONE, TWO = "bare aiohttp, 1 process", "nxt messaging, 1 process", "nxt messaging, 2 processes"


@attrs.frozen(kw_only=True)
class HttpTurn:
    """What servers of one kind did under one load.

    Attributes:
        server_ms: CPU of their processes for one request.
        database_ms: CPU of the database server for one request.
        client_cpu: Share of one core that the generator took.
    """

    per_s: float
    p50_ms: float
    p99_ms: float
    server_ms: float
    database_ms: float
    client_cpu: float


async def enqueue_rates(
    stack: EmbeddedStack, *, networks: int, connections: int, seconds: float, rounds: int
) -> Mapping[str, HttpTurn]:
    """Load all kinds of servers in turn; return the medians of each."""
    key = secrets.token_hex(16)
    async with _database(stack) as url, AsyncExitStack() as servers:
        bare = await servers.enter_async_context(bare_enqueue(url))
        ours = [await servers.enter_async_context(messaging(url, key)) for _ in range(2)]
        kinds: Mapping[str, Sequence[Server]] = {BARE: [bare], ONE: ours[:1], TWO: ours}
        load = Load(url="", requests=_requests(networks, key), connections=connections, seconds=seconds, status=201)
        turns: dict[str, list[HttpTurn]] = {name: [] for name in kinds}
        for number in range(rounds):
            for name, loaded in kinds.items():
                progress(f"enqueueing over HTTP, {name}, round {number + 1} of {rounds}")
                turns[name].append(await _turn(loaded, load, ServerCpu.of(stack)))
                await asyncio.to_thread(_empty, url)
    return {name: _typical(taken) for name, taken in turns.items()}


@asynccontextmanager
async def _database(stack: EmbeddedStack) -> AsyncIterator[str]:
    """A database as the stand-alone mode has it."""
    owner = stack.relational_url
    await asyncio.to_thread(_command, owner, f"drop database if exists {_DATABASE}")
    await asyncio.to_thread(_command, owner, f"create database {_DATABASE}")
    url = make_url(owner).set(database=_DATABASE).render_as_string(hide_password=False)
    await asyncio.to_thread(upgrade, url, "messaging")
    try:
        yield url
    finally:
        await asyncio.to_thread(_command, owner, f"drop database {_DATABASE} with (force)")


def _command(url: str, command: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(command.encode())


def _empty(url: str) -> None:
    _command(url, "truncate messaging.device_messages")


def _requests(networks: int, key: str) -> Sequence[bytes]:
    headers = {"Authorization": f"Bearer {key}"}
    return [request("POST", "/message/enqueue", headers, _body(number, networks)) for number in range(_REQUESTS)]


def _body(number: int, networks: int) -> bytes:
    body = {
        "commandType": "READ_CREDIT",
        "priority": 30,
        "pluginId": PLUGIN_ID,
        "networkId": number % networks,
        "correlationId": str(number),
        "device": {"type": "ELECTRICITY_METER", "externalReference": f"47{number:09d}"},
    }
    return json.dumps(body).encode()


async def _turn(servers: Sequence[Server], load: Load, database: ServerCpu) -> HttpTurn:
    before, database_before = sum(server.cpu_seconds() for server in servers), database.seconds()
    share = attrs.evolve(load, connections=max(1, load.connections // len(servers)))
    answers = await asyncio.gather(*(measure(attrs.evolve(share, url=server.url)) for server in servers))
    spent, database_spent = (
        sum(server.cpu_seconds() for server in servers) - before,
        database.seconds() - database_before,
    )
    served = sum(_with_warm_up(each, load) for each in answers)
    return HttpTurn(
        per_s=sum(each.per_s for each in answers),
        p50_ms=max(each.p50_ms for each in answers),
        p99_ms=max(each.p99_ms for each in answers),
        server_ms=spent / served * 1e3,
        database_ms=database_spent / served * 1e3,
        client_cpu=sum(each.client_cpu for each in answers),
    )


def _with_warm_up(answers: Answers, load: Load) -> float:
    return answers.count * (1 + _WARM_UP_S / load.seconds)


def _typical(turns: Sequence[HttpTurn]) -> HttpTurn:
    return HttpTurn(
        **{field.name: median(getattr(turn, field.name) for turn in turns) for field in attrs.fields(HttpTurn)}
    )
