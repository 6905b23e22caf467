"""Requests per second and times to answer of four routes, beside bare aiohttp handlers that run the same SQL.

The routes are those of dashboards: one object (``GET /grids/{id}``), pages of lists (``GET /grids``, whose rows are
wide, and ``GET /customers``), and a change (``POST /connections``: several rows and their audit in one transaction).
Ours is ``nxt api`` as it is run: credential, access, tenant's scope, validation, log line, figures, exact numbers. The
peer runs the very statements that ours sends, through psycopg, gives the very bytes that ours gives, which is checked
before the load, and does nothing else; only the tenant rule is in it, since it is part of the statements. Both run on
the same database and are loaded in turn by one process.

Goal: at least 0.6 of the peer's requests per second, and at most twice its p99.

Run: ``python benchmarks/http_routes.py [--seconds S] [--rounds N] [--json]``
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping, Sequence

import attrs
from _bare import Recipe
from _harness import Report, arguments, count, publish, run
from _http_load import Load, answer, request
from _http_servers import Recorded, Server, bare, environment_of, product
from _postgres import ServerCpu, migrated_stack
from _tenants import BIG, credential, grid_ids, seed
from _turns import Turn, report, take_turns

from nxt_domain.grids.contracts import NewConnection
from nxt_domain.shared.money import Currency
from nxt_domain.shared.paging import Window
from nxt_entrypoints.container import Container
from nxt_entrypoints.demo.environment import new_secrets
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.settings.roles import Role

_GRIDS = 300
_PAGE = 100


@attrs.frozen(kw_only=True)
class Case:
    """One route under load.

    Attributes:
        recipe: How the peer answers it.
        requests: What is asked, headers included.
    """

    name: str
    recipe: Recipe
    requests: Sequence[bytes]


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn (default: 4)")
    parser.add_argument("--rounds", type=count, default=3, help="turns of each server and route (default: 3)")
    parser.add_argument("--connections", type=count, default=8, help="asked at once (default: 8)")
    wanted = parser.parse_args()
    report = run(compare(wanted.seconds, wanted.rounds, wanted.connections))
    publish(report, as_json=wanted.json)


async def compare(seconds: float, rounds: int, connections: int) -> Report:
    """Load both servers in turn, route by route."""
    secrets = new_secrets()
    async with migrated_stack() as stack:
        await asyncio.to_thread(seed, stack.relational_url, grids=_GRIDS, customers=_GRIDS)
        environment = environment_of(stack, secrets)
        cases = await _cases(environment, credential(secrets.jwt_secret))
        recipes = [case.recipe for case in cases]
        async with product(environment) as ours, bare(stack.relational_url, recipes) as theirs:
            await _same_answers(cases, ours, theirs)
            database = ServerCpu.of(stack)
            load = Load(url="", requests=(), connections=connections, seconds=seconds)
            turns = {case.name: await _turns(case, (theirs, ours), load, database, rounds) for case in cases}
    return report("http_routes", turns)


async def _cases(environment: Mapping[str, str], headers: Mapping[str, str]) -> Sequence[Case]:
    """Run each use case once, in this process, and hand the peer what it sent to the database."""
    container = Container(settings=load_settings({**environment, "NXT_PORT": "1"}, [Role.API]))
    recorded, ids = Recorded.of(container), grid_ids(BIG, _GRIDS)
    shuffled = random.Random(1).sample(ids, len(ids))
    caller = await container.authenticate_user()(headers["Authorization"].removeprefix("Bearer "))
    recorded.take()
    grids, registers = container.sites().services().read_grids, container.registers().services()
    await grids.one(caller, ids[0])
    one = recorded.take()
    await grids.page(caller, Window(limit=_PAGE))
    page = recorded.take()
    await registers.read_contracts.customers(caller, Window(limit=_PAGE))
    customers = recorded.take()
    made = await registers.create_connection(caller, _connection(ids[0]), [])
    creation = recorded.take()
    await container.read_pool().close()
    await container.engine().dispose()
    await container.http_session().close()
    return [
        Case(
            name="GET /grids/{id}",
            recipe=Recipe(
                method="GET", path="/grids/{id}", statements=one, asked_id=ids[0], inner=("organization", "owner_")
            ),
            requests=[request("GET", f"/grids/{grid_id}", headers) for grid_id in shuffled],
        ),
        *(
            Case(
                name=f"GET {path}?limit={_PAGE}",
                recipe=Recipe(method="GET", path=path, statements=statements, page=_PAGE),
                requests=[request("GET", f"{path}?limit={_PAGE}", headers)],
            )
            for path, statements in (("/grids", page), ("/customers", customers))
        ),
        Case(
            name="POST /connections",
            recipe=Recipe(
                method="POST",
                path="/connections",
                statements=creation,
                asked_id=ids[0],
                id_field="customer_id",
                made_id=made,
                changes=True,
                status=201,
            ),
            requests=[request("POST", "/connections", headers, _body(customer_id)) for customer_id in shuffled],
        ),
    ]


async def _turns(
    case: Case, servers: Sequence[Server], load: Load, database: ServerCpu, rounds: int
) -> Mapping[str, Sequence[Turn]]:
    asked = attrs.evolve(load, status=case.recipe.status)
    return await take_turns(case.name, servers, asked, lambda: case.requests, database, rounds)


async def _same_answers(cases: Sequence[Case], ours: Server, theirs: Server) -> None:
    """Compare what both answer to the first request of each case; what changes something answers with a new id.

    Raises:
        RuntimeError: They differ.
    """
    for case in cases:
        if not case.recipe.changes and await answer(ours.url, case.requests[0]) != await answer(
            theirs.url, case.requests[0]
        ):
            raise RuntimeError(f"{case.name} has two answers")


def _connection(customer_id: int) -> NewConnection:
    return NewConnection(
        customer_id=customer_id,
        currency=Currency.NGN,
        women_impacted=2,
        is_public=False,
        is_commercial=False,
        is_residential=True,
    )


def _body(customer_id: int) -> bytes:
    uses = {"is_public": False, "is_commercial": False, "is_residential": True}
    fields = {"customer_id": customer_id, "currency": "NGN", "women_impacted": 2, "requested_meters": [], **uses}
    return json.dumps(fields).encode()


if __name__ == "__main__":
    main()
