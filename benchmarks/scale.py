"""Lists of the API with 100,000 customers on 1,000 grids, beside the same with 1,000 customers.

Two things are looked at. What a page *reads*: the plan of each statement that a list route sends is run, and the rows
that it touches are counted, for a tenant that has nearly everything and for one whose few rows come last. And how long
a page *takes*: all list routes are asked in turn at 200 requests a second, with pages from anywhere in the lists, one
half of them narrowed to a grid.

Goal: no page reads more than a few times its own length, whatever is stored, and the p99 is at most three times that of
the small plane.

Run: ``python benchmarks/scale.py [--customers N] [--json]``
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

import aiohttp
import attrs
import psycopg
from _harness import Cell, Figure, Report, Table, arguments, count, progress, publish, run
from _http_load import Answers, Load, measure, request
from _http_servers import Recorded, environment_of, product
from _postgres import migrated_stack
from _tenants import TENANTS, credential, grid_ids, seed
from sqlalchemy.engine import make_url

from nxt_domain.shared.paging import DEFAULT_PAGE
from nxt_entrypoints.api.app import ROUTES, build_api
from nxt_entrypoints.container import Container
from nxt_entrypoints.database.migrate import upgrade
from nxt_entrypoints.demo.environment import new_secrets
from nxt_entrypoints.http.fields import ListQuery
from nxt_entrypoints.http.guards import Gate
from nxt_entrypoints.http.server import HttpServer
from nxt_entrypoints.logging import set_up_logging
from nxt_entrypoints.roles.api import ContainerServices
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.settings.roles import Role

_FEW = 1000
_GOAL_P99 = 3.0
_GOAL_READ = 10.0
_LISTS = [
    route.path
    for route in ROUTES
    if route.method == "GET" and isinstance(kind := route.inputs.get("query"), type) and issubclass(kind, ListQuery)
]


@attrs.frozen(kw_only=True)
class Read:
    """What one page read.

    Attributes:
        rows: Touched by the scans of its statements, those that a filter threw away included.
    """

    path: str
    tenant: str
    which: str
    statements: int
    items: int
    rows: float


@attrs.frozen(kw_only=True)
class Plane:
    """A relational plane of a certain size, and the environment that leads to it."""

    customers: int
    grids: int
    url: str = ""
    environment: Mapping[str, str] = attrs.field(factory=dict, eq=False)


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--customers", type=count, default=100_000, help="of the large plane (default: 100000)")
    parser.add_argument("--grids", type=count, default=1000, help="of both planes (default: 1000)")
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second (default: 200)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each turn (default: 10)")
    parser.add_argument("--rounds", type=count, default=2, help="turns of each plane (default: 2)")
    wanted = parser.parse_args()
    load = Load(url="", requests=(), connections=16, seconds=wanted.seconds, rate=wanted.rate)
    publish(run(compare(wanted.customers, wanted.grids, load, wanted.rounds)), as_json=wanted.json)


async def compare(customers: int, grids: int, load: Load, rounds: int) -> Report:
    """Seed two planes, count what pages of the large one read, and load both in turn."""
    secrets = new_secrets()
    async with migrated_stack() as stack:
        environment = environment_of(stack, secrets)
        few, many = [
            await _plane(stack.relational_url, Plane(customers=size, grids=grids), environment)
            for size in (min(_FEW, customers), customers)
        ]
        reads = await _reads(many, secrets.jwt_secret)
        turns: dict[Plane, list[Answers]] = {few: [], many: []}
        async with product(few.environment) as beside, product(many.environment) as ours:
            for number, (plane, server) in itertools.product(range(rounds), ((few, beside), (many, ours))):
                progress(f"{plane.customers} customers, round {number + 1} of {rounds}")
                requests = list(_requests(plane, secrets.jwt_secret))
                turns[plane].append(await measure(attrs.evolve(load, url=server.url, requests=requests)))
    return _report(reads, turns, load.rate or 0.0)


async def _plane(server: str, plane: Plane, environment: Mapping[str, str]) -> Plane:
    name = f"scale_{plane.customers}_{uuid.uuid4().hex[:4]}"
    async with await psycopg.AsyncConnection.connect(server, autocommit=True) as connection:
        await connection.execute(f"create database {name}".encode())
    url = make_url(server).set(database=name).render_as_string(hide_password=False)
    await asyncio.to_thread(upgrade, url, "relational")
    await asyncio.to_thread(seed, url, grids=plane.grids, customers=plane.customers)
    return attrs.evolve(plane, url=url, environment={**environment, "NXT_DB_URL": url})


def _requests(plane: Plane, jwt_secret: str) -> Iterator[bytes]:
    """Pages from anywhere: each list by key, and narrowed to a grid."""
    dice, grids = random.Random(1), grid_ids(TENANTS["big"], plane.grids)
    headers = credential(jwt_secret)
    for _ in range(100):
        for path in _LISTS:
            after, grid_id = dice.randrange(plane.customers + _FEW), dice.choice(grids)
            yield request("GET", f"{path}?after={after}", headers)
            yield request("GET", f"{path}?grid_id={grid_id}", headers)


async def _reads(plane: Plane, jwt_secret: str) -> Sequence[Read]:
    """Ask every list in this process, and run the plans of what it sends."""
    set_up_logging("benchmark", level="WARNING", out=sys.stderr)
    container = Container(settings=load_settings({**plane.environment, "NXT_PORT": "1"}, [Role.API]))
    recorded = Recorded.of(container)
    app = build_api(ContainerServices(container), gate=Gate(user=container.authenticate_user()))
    reads = []
    async with (
        HttpServer(app, host="127.0.0.1", port=0) as server,
        aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session,
        await psycopg.AsyncConnection.connect(plane.url, autocommit=True) as connection,
    ):
        for tenant, identity in TENANTS.items():
            headers = credential(jwt_secret, identity)
            await (await session.get("/grids", headers=headers)).read()  # the caller is known from here on
            recorded.take()
            for path, (which, query) in itertools.product(_LISTS, _windows(identity, plane)):
                answer = await session.get(f"{path}{query}", headers=headers)
                items = len((await answer.json())["items"])
                sent = recorded.take()
                rows = sum([await _rows_read(connection, *statement) for statement in sent])
                reads.append(Read(path=path, tenant=tenant, which=which, statements=len(sent), items=items, rows=rows))
    await container.read_pool().close()
    await container.engine().dispose()
    await container.http_session().close()
    return reads


def _windows(tenant: int, plane: Plane) -> Sequence[tuple[str, str]]:
    own, others = grid_ids(tenant, plane.grids), grid_ids(TENANTS["big"], plane.grids)
    return (
        ("first page", ""),
        ("from the middle", f"?after={plane.customers // 2}"),
        ("of a grid", f"?grid_id={own[0]}"),
        ("the big one's grid", f"?grid_id={others[-1]}"),
    )


async def _rows_read(connection: psycopg.AsyncConnection[Any], sql: str, parameters: dict[str, Any]) -> float:
    cursor = await connection.execute(f"explain (analyze, timing off, format json) {sql}".encode(), parameters)
    row = await cursor.fetchone()
    return _touched(row[0][0]["Plan"]) if row else 0.0


def _touched(node: Mapping[str, Any]) -> float:
    below: float = sum(_touched(child) for child in node.get("Plans", ()))
    if "Relation Name" not in node:
        return below
    thrown_away = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return below + float((node["Actual Rows"] + thrown_away) * node["Actual Loops"])


def _report(reads: Sequence[Read], turns: Mapping[Plane, Sequence[Answers]], rate: float) -> Report:
    (small, few), (large, many) = turns.items()
    what = f"all lists at {rate:g}/s, {large.customers} customers"
    beside = f"{small.customers} customers"
    figures = [
        Figure(
            case=f"{what}: {name}",
            ours=median(getattr(each, member) for each in many),
            unit="ms",
            beside=beside,
            value=median(getattr(each, member) for each in few),
        )
        for name, member in (("p50", "p50_ms"), ("p99", "p99_ms"))
    ]
    worst = max(read.rows for read in reads)
    figures.append(
        Figure(case="rows that the worst page reads", ours=worst, unit="", beside="its length", value=DEFAULT_PAGE)
    )
    rows: list[Sequence[Cell]] = [attrs.astuple(read) for read in sorted(reads, key=lambda read: -read.rows)[:12]]
    columns = ("list", "tenant", "page", "statements", "items", "rows read")
    notes = [
        f"{len(_LISTS)} lists: {', '.join(_LISTS)}",
        f"goal: p99 at most {_GOAL_P99:g}x, rows read at most {_GOAL_READ:g}x",
        f"the generator took {median(each.client_cpu for each in many):.0%} of a core",
    ]
    return Report(
        benchmark="scale",
        figures=figures,
        tables=[Table(title="pages that read most", columns=columns, rows=rows)],
        notes=notes,
    )


if __name__ == "__main__":
    main()
