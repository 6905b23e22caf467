"""RQ inside the jobs role: its cron and a worker, each on a thread of its own.

Threads, since a forked worker must not inherit database pools and gRPC channels [R48]. Every jobs process runs a
cron; the job id ``<job>:<instant>`` and the database lease see to it that a moment runs once.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime

import structlog
from croniter import croniter  # type: ignore[import-untyped]  # ships without types
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.cron import CronJob, CronScheduler
from rq.exceptions import StopRequested
from rq.job import Job
from rq.timeouts import TimerDeathPenalty

from nxt_entrypoints.jobs.calendar import ScheduledJob

_log = structlog.get_logger(__name__)

QUEUE = "nxt-jobs"
_ONCE_S = 24 * 3600
_AWAY_S = 5.0
_GRACE_S = 30
"""RQ's own limit lies behind the deadline, which ends a run properly."""
_RESULT_S = 3600

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


class _UtcJob(CronJob):
    """A job whose cron fields are UTC [AUTO 2]; RQ's own are the machine's local time."""

    def get_next_enqueue_time(self) -> datetime:
        """Tell the next moment after the last one."""
        base = self.latest_enqueue_time or datetime.now(UTC)
        upcoming: datetime = croniter(self.cron, base).get_next(datetime)
        return upcoming


class _Cron(CronScheduler):
    """RQ's scheduler, on a thread: no signal handlers, and each moment of a job is enqueued once over all processes."""

    def add(self, job: ScheduledJob, queue: str = QUEUE) -> None:
        """Register a job of the calendar."""
        timeout_s = int(job.deadline.total_seconds()) + _GRACE_S
        self._cron_jobs.append(
            _UtcJob(queue, func=run_job, args=(job.name,), cron=job.cron, job_timeout=timeout_s, result_ttl=_RESULT_S)
        )

    def _install_signal_handlers(self) -> None:
        """Signals are the main thread's business."""

    def enqueue_due(self) -> None:
        """Enqueue what is due."""
        for job in self.get_jobs():
            due = job.next_enqueue_time
            if due is not None and due <= datetime.now(UTC):
                _enqueue_once(self.connection, job, due)
                job.set_enqueue_time(datetime.now(UTC))
        self.heartbeat()


def _enqueue_once(connection: Redis, job: CronJob, due: datetime) -> None:
    name = str(job.args[0])
    job_id = f"{name}:{due.strftime('%Y-%m-%dT%H%M%SZ')}"
    if connection.set(f"nxt:cron:{job_id}", 1, nx=True, ex=_ONCE_S):
        # RQ allows no colon in a job's id.
        Queue(job.queue_name, connection=connection).enqueue(
            run_job, name, job_id=job_id.replace(":", "_"), **job.job_options
        )


class _Worker(SimpleWorker):
    """RQ's worker without fork, on a thread: timers instead of alarm signals."""

    death_penalty_class = TimerDeathPenalty
    max_connection_wait_time = 2.0

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        """Wait for a job; looks up every second, and ends between two looks, with no job in hand."""
        del timeout, max_idle_time
        while not self._stop_requested:
            found: tuple[Job, Queue] | None = super().dequeue_job_and_maintain_ttl(1, max_idle_time=1)
            if found is not None:
                return found
        raise StopRequested

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Tell Valkey that it lives; asked to stop, it does not wait for one that is away."""
        try:
            super().heartbeat(timeout, pipeline)
        except RedisError:
            if self._stop_requested:
                raise StopRequested from None
            raise

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
        queue: Which jobs the worker takes; all processes that know the same jobs share one.
    """

    def __init__(
        self,
        *,
        valkey_url: str,
        calendar: Sequence[ScheduledJob],
        functions: Mapping[str, JobFunction],
        name: str,
        queue: str = QUEUE,
    ) -> None:
        self._url = valkey_url
        self._calendar = [job for job in calendar if job.name in functions]
        self._functions = functions
        self._name = name
        self._queue = queue
        self._stopping = threading.Event()
        self._worker: _Worker | None = None
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start both threads; call from the role's event loop."""
        _Runtime.loop = asyncio.get_running_loop()
        # Another role of this process may have put its jobs here already.
        _Runtime.jobs = {
            **_Runtime.jobs,
            **{job.name: (self._functions[job.name], job.deadline.total_seconds()) for job in self._calendar},
        }
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
        """Run a thread's work anew whenever it ends, until stopped: it outlives whatever befalls it."""
        while not self._stopping.is_set():
            try:
                target()
            except (RedisError, OSError) as error:
                _log.warning("Valkey is away; scheduled jobs wait", error=type(error).__name__)
            except Exception:  # noqa: BLE001 - a thread that ended silently would leave the calendar undone
                _log.exception("a thread of the calendar failed; it goes on", thread=target.__name__)
            self._stopping.wait(_AWAY_S)

    def _run_cron(self) -> None:
        with Redis.from_url(self._url) as connection:
            cron = _Cron(connection, name=self._fresh_name("cron"))
            for job in self._calendar:
                cron.add(job, self._queue)
            cron.register_birth()
            while not self._stopping.wait(min(cron.calculate_sleep_interval(), 1.0) or 0.05):
                cron.enqueue_due()
            cron.register_death()

    def _run_worker(self) -> None:
        with Redis.from_url(self._url) as connection:
            queue = Queue(self._queue, connection=connection)
            self._worker = _Worker([queue], connection=connection, name=self._fresh_name("worker"))
            if not self._stopping.is_set():  # else its end was asked for before it was there
                self._worker.work(with_scheduler=False, logging_level="WARNING")

    def _fresh_name(self, part: str) -> str:
        """Name a scheduler or worker; RQ takes one whose name is known from before an outage for a second one."""
        return f"{self._name}-{part}-{secrets.token_hex(3)}"
