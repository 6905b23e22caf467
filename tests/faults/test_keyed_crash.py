"""A keyed request cut off at every point: however often it is sent again, it is carried out at most once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Self

import psycopg
import pytest
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import event
from tests.support.identity_world import MEMBER, IdentityWorld
from tests.support.keyed_shop import KEY, ORDER, ROUTES, PostgresShop
from tests.support.running_roles import quiet

from nxt_entrypoints.http.app import build_app

MOST_STATEMENTS = 12


@pytest.fixture
async def shop(relational_url: str) -> AsyncIterator[PostgresShop]:
    made = PostgresShop(relational_url)
    yield made
    await made.engine.dispose()


class Severed:
    """Kills the session at the server under the n-th statement, before or after it was carried out, then no more."""

    def __init__(self, shop: PostgresShop, owner: psycopg.Connection[Any], *, at: int, moment: str) -> None:
        self._owner = owner
        self._left = at
        self._hook = (shop.engine.sync_engine, f"{moment}_cursor_execute", self._cut)
        self.has_cut = False

    def __enter__(self) -> Self:
        event.listen(*self._hook)
        return self

    def __exit__(self, *_error: object) -> None:
        event.remove(*self._hook)

    def _cut(self, connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if self.has_cut or "internal." not in statement:
            return
        self._left -= 1
        if self._left == 0:
            self.has_cut = True
            pid = connection.connection.driver_connection.info.backend_pid
            self._owner.execute("select pg_terminate_backend(%s)", (pid,))


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_cut_at_any_statement_leaves_a_safe_state(shop: PostgresShop, relational_url: str, moment: str) -> None:
    """[REL-155] [REL-175] Claim, work, mark, answer: wherever it broke, the repeats end, and nothing is sold twice."""
    callers = IdentityWorld()
    app = build_app("api", ROUTES, shop, gate=callers.gate, idempotency_keys=shop.keys)
    outcomes: list[tuple[int, str]] = []
    with quiet(), psycopg.connect(relational_url, autocommit=True) as owner:
        async with TestClient(TestServer(app), headers=callers.bearer(MEMBER)) as client:
            for number in range(1, MOST_STATEMENTS):
                owner.execute("delete from internal.outbox_tasks")
                headers = {**KEY, "Idempotency-Key": f"{moment} {number}"}
                with Severed(shop, owner, at=number, moment=moment) as cut:
                    first = await client.post("/purchases", json=ORDER, headers=headers)
                assert first.status in {201, 503}
                outcomes.append(await _repeated(client, owner, headers))
                assert await shop.sold() == 1
                if not cut.has_cut:
                    break
    assert not cut.has_cut, "the way of a request is longer than this test"
    assert (201, "") in outcomes
    # Known to be done, but the answer never reached the store: the one moment that the guarantee names.
    assert {outcome for outcome in outcomes if outcome[0] == 409} <= {(409, "IDEMPOTENCY_ANSWER_LOST")}


async def _repeated(client: Any, owner: psycopg.Connection[Any], headers: dict[str, str]) -> tuple[int, str]:
    """Send the request again, at once and when the lock has lapsed, until it is no longer told to wait."""
    for _ in range(3):
        answer = await client.post("/purchases", json=ORDER, headers=headers)
        code = "" if answer.status == 201 else str((await answer.json())["code"])
        if code != "IDEMPOTENCY_IN_PROGRESS":
            return answer.status, code
        owner.execute("update internal.idempotency_keys set locked_until = locked_until - interval '2 minutes'")
    raise AssertionError("it never ended")
