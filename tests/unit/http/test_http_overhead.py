"""What a request costs in statements and connections, counted: no test of time, and it holds for routes to come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import event
from tests.support.api_processes import JWT_SECRET, put_grid, put_key, put_members, token_of
from tests.support.identity_world import LENDER, MEMBER
from tests.support.wired import api_of, wired

from nxt_entrypoints.api.app import ROUTES
from nxt_entrypoints.demo.environment import new_secrets
from nxt_entrypoints.http.fields import ListQuery
from nxt_entrypoints.http.routes import Route

GRIDS = (70, 71, 72)
SECRETS = attrs.evolve(new_secrets(), jwt_secret=JWT_SECRET)


def is_list(route: Route) -> bool:
    query = route.inputs.get("query")
    return route.method == "GET" and isinstance(query, type) and issubclass(query, ListQuery)


LISTS = [route for route in ROUTES if is_list(route)]


@attrs.define
class Cost:
    """What requests sent to the database since the last look."""

    statements: list[str] = attrs.field(factory=list)
    checkouts: int = 0

    def take(self) -> Cost:
        taken = attrs.evolve(self)
        self.statements, self.checkouts = [], 0
        return taken


@attrs.frozen
class World:
    client: TestClient[Any, Any]
    cost: Cost
    headers: dict[str, str]
    key: dict[str, str]

    async def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, Cost]:
        answer = await self.client.get(path, headers=self.headers if headers is None else headers)
        await answer.read()
        return answer.status, self.cost.take()


@pytest.fixture
async def world(relational_url: str) -> AsyncIterator[World]:
    put_members(relational_url, [MEMBER, LENDER])
    for grid_id in GRIDS:
        put_grid(relational_url, grid_id, MEMBER.organization_id or 0)
    key = put_key(relational_url, MEMBER)
    async with wired(SECRETS, relational_url=relational_url) as container:
        cost, pool = Cost(), container.engine().sync_engine

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            cost.statements.append(statement)

        def lend(*_: object) -> None:
            cost.checkouts += 1

        event.listen(pool, "before_cursor_execute", note)
        event.listen(pool.pool, "checkout", lend)

        def note_read(statement: str, _parameters: object) -> None:
            cost.statements.append(statement)
            cost.checkouts += 1

        container.read_pool().observe(note_read)
        async with TestClient(TestServer(api_of(container))) as client:
            yield World(client, cost, {"Authorization": f"Bearer {token_of(MEMBER)}"}, {"X-API-KEY": key})


def test_there_are_lists() -> None:
    assert {"/grids", "/customers", "/connections"} <= {route.path for route in LISTS}


@pytest.mark.parametrize("declared", LISTS, ids=lambda route: route.path)
async def test_a_page_is_one_bounded_statement(world: World, declared: Route) -> None:
    """[R41] Nobody's list reads without bound, and no item of it asks the database once more."""
    await world.get("/grids/70")  # the caller is known from here on
    for query in ("", "?limit=2", "?limit=500&after=70", "?grid_id=70"):
        status, cost = await world.get(f"{declared.path}{query}")
        assert status == 200
        assert (len(cost.statements), cost.checkouts) == (1, 1), cost.statements
        assert " LIMIT " in cost.statements[0]
        assert "ORDER BY" in cost.statements[0]


async def test_a_caller_is_looked_up_once_in_a_while(world: World) -> None:
    """A dashboard sends many requests at once: its account and its key are remembered for seconds."""
    status, first = await world.get("/grids/70")
    assert (status, len(first.statements)) == (200, 3), "the account, the end of its transaction, the grid"
    status, second = await world.get("/grids/70")
    assert (status, len(second.statements), second.checkouts) == (200, 1, 1)
    await world.get("/grids/70", world.key)
    status, by_key = await world.get("/grids/70", world.key)
    assert (status, len(by_key.statements), by_key.checkouts) == (200, 1, 1)


async def test_what_is_refused_costs_the_database_nothing(world: World) -> None:
    """[R39] [API-22] No route, no credential, a wrong input: not even a connection is taken."""
    await world.get("/grids/70")
    for path, headers, status in (
        ("/nowhere", None, 404),
        ("/grids", {}, 401),
        ("/grids", {"Authorization": "Bearer nonsense"}, 401),
        ("/grids?limit=501", None, 400),
        ("/grids/none", None, 400),
        ("/healthz", {}, 200),
    ):
        answered, cost = await world.get(path, headers)
        assert (answered, cost.statements, cost.checkouts) == (status, [], 0), path
