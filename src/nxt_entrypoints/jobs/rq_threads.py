"""RQ inside the jobs role: its cron and a worker, each on a thread of its own.

Threads, since a forked worker must not inherit database pools and gRPC channels [R48]. Every jobs process runs a
cron; the job id ``<job>:<instant>`` and the database lease see to it that a moment runs once.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime

import structlog
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.cron import CronScheduler
from rq.exceptions import StopRequested
from rq.timeouts import TimerDeathPenalty
from rq.worker import WorkerStatus

from nxt_entrypoints.jobs.calendar import ScheduledJob

_log = structlog.get_logger(__name__)

QUEUE = "nxt-jobs"
_ONCE_S = 24 * 3600
_AWAY_S = 5.0

JobFunction = Callable[[], Awaitable[object]]


class _Runtime:
    """The event loop and jobs of the role that this process runs; RQ's jobs find them here by name."""

    loop: asyncio.AbstractEventLoop | None = None
    jobs: Mapping[str, tuple[JobFunction, float]] = {}


def run_job(name: str) -> str:
    """Run one job of the calendar on the role's event loop; RQ calls this on its worker thread.

    Raises:
        RuntimeError: No jobs role runs in this process.
        KeyError: The job is unknown to this version.
    """
    if _Runtime.loop is None:
        raise RuntimeError("no jobs role runs in this process; start one with `nxt jobs`")
    function, deadline_s = _Runtime.jobs[name]
    outcome: Future[object] = asyncio.run_coroutine_threadsafe(
        asyncio.wait_for(function(), deadline_s),
        _Runtime.loop,
    )
    return str(outcome.result())


class _Cron(CronScheduler):
    """RQ's scheduler, on a thread: no signal handlers, and each moment of a job is enqueued once over all processes."""

    def _install_signal_handlers(self) -> None:
        """Signals are the main thread's business."""

    def enqueue_due(self) -> None:
        """Enqueue what is due."""
        for job in self.get_jobs():
            due = job.next_enqueue_time
            if due is not None and due <= datetime.now(UTC):
                _enqueue_once(self.connection, str(job.args[0]), due)
                job.set_enqueue_time(datetime.now(UTC))
        self.heartbeat()


def _enqueue_once(connection: Redis, name: str, due: datetime) -> None:
    job_id = f"{name}:{due.strftime('%Y-%m-%dT%H%M%SZ')}"
    if connection.set(f"nxt:cron:{job_id}", 1, nx=True, ex=_ONCE_S):
        Queue(QUEUE, connection=connection).enqueue(run_job, name, job_id=job_id.replace(":", "_"), result_ttl=3600)


class _Worker(SimpleWorker):
    """RQ's worker without fork, on a thread: timers instead of alarm signals."""

    death_penalty_class = TimerDeathPenalty

    @property
    def dequeue_timeout(self) -> int:
        """Look up every second, so that stopping does not take long."""
        return 1

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Tell Valkey that it lives; an idle worker that was asked to stop ends here."""
        if self._stop_requested and self.get_state() != WorkerStatus.BUSY:
            raise StopRequested
        super().heartbeat(timeout, pipeline)

    def request_end(self) -> None:
        """Ask it to end after the job in hand; RQ's own way is a signal, which threads can't get."""
        self._stop_requested = True

    def _install_signal_handlers(self) -> None:
        """Signals are the main thread's business."""


class RqThreads:
    """Runs RQ's cron and one worker until stopped; while Valkey is away both wait.

    Args:
        valkey_url: ``redis://…``
        calendar: What runs when.
        functions: The jobs by name.
        name: Names this process's worker and cron.
    """

    def __init__(
        self, *, valkey_url: str, calendar: Sequence[ScheduledJob], functions: Mapping[str, JobFunction], name: str
    ) -> None:
        self._url = valkey_url
        self._calendar = [job for job in calendar if job.name in functions]
        self._functions = functions
        self._name = name
        self._stopping = threading.Event()
        self._worker: _Worker | None = None
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start both threads; call from the role's event loop."""
        _Runtime.loop = asyncio.get_running_loop()
        _Runtime.jobs = {job.name: (self._functions[job.name], job.deadline.total_seconds()) for job in self._calendar}
        for target in (self._run_cron, self._run_worker):
            thread = threading.Thread(target=self._keep, args=(target,), name=target.__name__, daemon=True)
            thread.start()
            self._threads.append(thread)

    async def stop(self) -> None:
        """Let the running job end, then both threads."""
        self._stopping.set()
        if self._worker is not None:
            self._worker.request_end()
        await asyncio.to_thread(self._join)

    def _join(self) -> None:
        for thread in self._threads:
            thread.join(timeout=20)

    def _keep(self, target: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            try:
                target()
            except (RedisError, OSError) as error:
                _log.warning("Valkey is away; scheduled jobs wait", error=type(error).__name__)
                self._stopping.wait(_AWAY_S)

    def _run_cron(self) -> None:
        with Redis.from_url(self._url) as connection:
            cron = _Cron(connection, name=f"{self._name}-cron")
            for job in self._calendar:
                cron.register(run_job, QUEUE, args=(job.name,), cron=job.cron, name=job.name)
            cron.register_birth()
            while not self._stopping.wait(min(cron.calculate_sleep_interval(), 1.0) or 0.05):
                cron.enqueue_due()
            cron.register_death()

    def _run_worker(self) -> None:
        with Redis.from_url(self._url) as connection:
            self._worker = _Worker([Queue(QUEUE, connection=connection)], connection=connection, name=self._name)
            self._worker.work(with_scheduler=False, logging_level="WARNING")
