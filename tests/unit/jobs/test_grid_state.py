"""What the relay does with changes of grids, and how they reach the automation platform."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from nxt_adapters.make import MakeGridNews
from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_adapters.resilience import CallPolicy, RetryPolicy
from nxt_domain.grids.news import GRID_STATE
from nxt_domain.shared.errors import UpstreamFailed
from nxt_domain.shared.json import JsonObject
from nxt_domain.shared.outbox import ClaimedTask, OutboxTask
from nxt_entrypoints.jobs.handlers import Handlers
from nxt_entrypoints.jobs.relay import OutboxRelay

NOW = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)
CHANGE: JsonObject = {
    "grid_id": 5,
    "grid_name": "Oke Agbede",
    "kwh_tariff_essential_service": Decimal("265.5"),
    "updated_at": "2026-03-10T09:15:00.000Z",
}


def handlers(news: Any) -> Handlers:
    others: dict[str, Any] = dict.fromkeys(inspect.signature(Handlers).parameters)
    return Handlers(**{**others, "grid_news": news})


def claimed(change: JsonObject = CHANGE) -> ClaimedTask:
    return ClaimedTask(
        id=1,
        kind=GRID_STATE,
        dedupe_key="grid:5:kwh_tariff_essential_service:1",
        payload=change,
        stream_key="grid:5",
        order_id=None,
        attempts=0,
        created_at=NOW,
        give_up_at=NOW + timedelta(hours=24),
        lease_until=NOW,
    )


class Host:
    """An automation platform: takes what is posted, or answers as told."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.taken: list[tuple[str, dict[str, str], Any]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.taken.append((request.path, dict(request.headers), json.loads(await request.text())))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200, text="Accepted")


@pytest.fixture
async def host() -> AsyncIterator[tuple[Host, MakeGridNews]]:
    made = Host()
    app = web.Application()
    app.router.add_post("/{hook}", made.take)
    async with TestServer(app) as server:
        retry = RetryPolicy(attempts=1, wait_initial_s=0, wait_max_s=0, jitter_s=0)
        news = MakeGridNews(lambda: str(server.make_url("/a1b2c3")), policy=CallPolicy(retry=retry))
        yield made, news
        await news.close()


async def test_a_change_is_posted_as_it_stands(host: tuple[Host, MakeGridNews]) -> None:
    """[AUTO-43] [REL-103] [MET-156] To the whole address, as JSON, without authentication."""
    platform, news = host
    await handlers(news).grid_state([claimed()])
    ((path, headers, body),) = platform.taken
    assert (path, body) == ("/a1b2c3", {**CHANGE, "kwh_tariff_essential_service": 265.5})
    assert headers["Content-Type"] == "application/json"
    assert not {"Authorization", "X-API-KEY"} & set(headers)


async def test_without_an_address_it_is_closed_unsent() -> None:
    """[REL-103]"""
    await handlers(None).grid_state([claimed()])


@pytest.mark.parametrize("status", [302, 404, 410, 500, 503])
async def test_what_was_not_taken_is_told_again(host: tuple[Host, MakeGridNews], status: int) -> None:
    """[AUTO-43] The task stays, and is tried again with growing pauses."""
    platform, news = host
    platform.statuses = [status]
    with pytest.raises(UpstreamFailed):
        await handlers(news).grid_state([claimed()])
    await handlers(news).grid_state([claimed()])
    assert len(platform.taken) == 2


async def test_changes_of_one_grid_keep_their_order_through_an_outage(host: tuple[Host, MakeGridNews]) -> None:
    """[AUTO-43] A later change waits for an earlier one; other grids do not."""
    platform, news = host
    platform.statuses = [503]
    plane = MemoryPlane()
    async with plane.begin() as tx:
        await tx.outbox.add(
            [
                OutboxTask(
                    kind=GRID_STATE,
                    dedupe_key=f"{grid}:{turn}",
                    stream_key=f"grid:{grid}",
                    payload={"grid_id": grid, "is_fs_on": turn},
                    give_up_after=timedelta(hours=24),
                )
                for grid, turn in ((5, True), (5, False), (6, True))
            ]
        )
        await tx.commit()
    told = handlers(news)
    relay = OutboxRelay(queue=plane.outbox_queue, lanes=told.lanes(), owner="t", subscribe=plane.wakeups.subscribe)
    (lane,) = [each for each in told.lanes() if each.kind == GRID_STATE]
    for _ in range(6):
        await relay.work_off(lane)
        plane.clock.advance(timedelta(seconds=3))
    bodies = [body for _, _, body in platform.taken]
    assert [body["is_fs_on"] for body in bodies if body["grid_id"] == 5] == [True, True, False]
    assert bodies.index({"grid_id": 6, "is_fs_on": True}) == 1
