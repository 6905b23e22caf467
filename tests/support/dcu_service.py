"""A vendor whose tasks run at DCUs: created, then asked about; it loses answers and writes down what it saw."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import attrs
from aiohttp import web

_TASK_S = (0.1, 1.5)


@attrs.define(kw_only=True)
class Task:
    """One task as the vendor remembers it; instants are of this process's own clock, seconds.

    Attributes:
        dcu: Whose bottleneck it goes through.
        message: What it was made for.
        done_at: When its result is there.
        asked_at: When it was asked about first; None: never, so nobody waits for it.
        told_at: When an answer with its result got through first.
    """

    dcu: int
    message: str
    created_at: float
    done_at: float
    asked_at: float | None = None
    told_at: float | None = None


class DcuService:
    """The vendor.

    Args:
        loss_rate: Share of answers that get lost after the call took effect.
        seed: Of its dice.
    """

    def __init__(self, *, loss_rate: float, seed: int) -> None:
        self.tasks: dict[str, Task] = {}
        self.lost = 0
        self._loss_rate = loss_rate
        self._dice = random.Random(seed)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Serve on a loopback port; yields its address."""
        app = web.Application()
        app.router.add_post("/tasks", self._create)
        app.router.add_get("/tasks/{task}", self._show)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.json()
        now = asyncio.get_running_loop().time()
        number = str(len(self.tasks) + 1)
        self.tasks[number] = Task(
            dcu=body["dcu"], message=body["message"], created_at=now, done_at=now + self._dice.uniform(*_TASK_S)
        )
        self._lose_now_and_then(request)
        return web.json_response({"task": number})

    async def _show(self, request: web.Request) -> web.Response:
        task, now = self.tasks[request.match_info["task"]], asyncio.get_running_loop().time()
        task.asked_at = task.asked_at or now
        is_done = now >= task.done_at
        self._lose_now_and_then(request)
        if is_done and task.told_at is None:
            task.told_at = now
        return web.json_response({"done": is_done})

    def _lose_now_and_then(self, request: web.Request) -> None:
        if self._dice.random() < self._loss_rate and request.transport is not None:
            self.lost += 1
            request.transport.abort()
            raise web.HTTPInternalServerError  # nobody hears it

    def most_at_once(self) -> Mapping[int, int]:
        """Tell by DCU how many tasks were waited for at the same time, at most.

        A task is waited for from its creation until its result got through. One that nobody ever asked about doesn't
        count: its creator died, or never heard its number.
        """
        by_dcu: dict[int, list[Task]] = {}
        for task in self.tasks.values():
            if task.asked_at is not None and task.told_at is not None:
                by_dcu.setdefault(task.dcu, []).append(task)
        return {dcu: _most_overlapping(tasks) for dcu, tasks in by_dcu.items()}


def _most_overlapping(tasks: Sequence[Task]) -> int:
    # At the same instant an end comes before a beginning.
    steps = sorted([(task.created_at, 1) for task in tasks] + [(task.told_at or 0.0, -1) for task in tasks])
    most = now = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most
