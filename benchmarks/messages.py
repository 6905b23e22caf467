"""Device messages: through all stages with several engines, claims under a long queue, and how fast they are enqueued.

*Stages* delivers messages that wait on 1,000 networks through stub plug-ins of unlimited admission: claimed, sent,
accepted, radiated, answered, archived, with the adopter's two events in the outbox. Engines are processes of their own,
as the jobs role runs them; each has a network in it that answers at once, whose CPU counts with the engine's. *Scaling*
is the same with sends of 50 ms and a fixed number of them at once, so that engines wait instead of computing [R47].
*Claims* takes a hundred messages from a hundred networks while 1,000 to 1,000,000 wait. *Batches* stores messages as an
adopter does that has many. *Http* posts them to ``nxt messaging`` over 32 connections; the peer is a bare aiohttp
handler that inserts the same row with psycopg and commits, in the same database, loaded in turn.

Goals: 2,000 messages a second through all stages on two cores; two engines at least 1.6 times as fast as one or, where
one fills the cores, at most 1.25 times the CPU per message; claims with 1,000,000 waiting at most twice as long as with
1,000; 10,000 messages a second in batches; over HTTP 0.7 of the peer's requests, and more with two processes. ``fsync``
and ``synchronous_commit`` are on [R38].

Run: ``python benchmarks/messages.py [--only stages …] [--messages N] [--engines 1 2 4] [--json]``
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import attrs
import psycopg
from _harness import Cell, Figure, Report, Table, arguments, count, progress, publish, run
from _messages_claims import claim_times
from _messages_engine import STARTS_IN_S, Work, database_of, enqueue, ready, work
from _messages_http import BARE, ONE, TWO, enqueue_rates
from _postgres import ServerCpu, migrated_stack

from nxt_entrypoints.embedded.stack import EmbeddedStack

_GOAL_PER_S = 2_000
_GOAL_SCALING = 1.6
_GOAL_CPU = 1.25
_GOAL_BATCHES_PER_S = 10_000
_SCALING_SEND_S = 0.05
_TABLES = "messaging.device_messages, messaging.message_archive, messaging.admission, internal.outbox_tasks"


@attrs.frozen(kw_only=True)
class Wanted:
    """How much to measure.

    Attributes:
        messages: Of each measurement.
        networks: That they are for.
        engines: Numbers of processes, one measurement each.
        max_sends: Sends at once of one engine, which the network accepts at once.
        slow_sends: Sends at once of one engine, of 50 ms each.
        waiting: Messages in ready queues while claims are measured.
        claims: Of each of these.
        connections: Over HTTP.
        seconds: Of each turn over HTTP.
        rounds: Turns of each server.
    """

    messages: int
    networks: int
    engines: Sequence[int]
    max_sends: int
    slow_sends: int
    waiting: Sequence[int]
    claims: int
    connections: int
    seconds: float
    rounds: int


@attrs.frozen(kw_only=True)
class Outcome:
    """What some engines did together."""

    engines: int
    per_s: float
    python_ms: float
    server_ms: float
    statements: float
    transactions: float

    @property
    def cpu_ms(self) -> float:
        """Of engines and database, for one message."""
        return self.python_ms + self.server_ms


Findings = tuple[Sequence[Figure], Sequence[Table]]


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS), help="(default: all)")
    parser.add_argument("--messages", type=count, default=20_000, help="of each measurement (default: %(default)s)")
    parser.add_argument("--networks", type=count, default=1_000, help="(default: %(default)s)")
    parser.add_argument("--engines", type=count, nargs="+", default=[1, 2, 4], help="(default: 1 2 4)")
    parser.add_argument("--max-sends", type=count, default=300, help="at once, of an engine (default: %(default)s)")
    parser.add_argument("--slow-sends", type=count, default=20, help="at once, of 50 ms (default: %(default)s)")
    parser.add_argument(
        "--waiting", type=count, nargs="+", default=[1_000, 100_000, 1_000_000], help="(default: 1000 100000 1000000)"
    )
    parser.add_argument("--claims", type=count, default=100, help="of each number waiting (default: %(default)s)")
    parser.add_argument("--connections", type=count, default=32, help="over HTTP (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn over HTTP (default: %(default)s)")
    parser.add_argument("--rounds", type=count, default=3, help="turns of each server (default: %(default)s)")
    given = vars(parser.parse_args())
    as_json, parts = given.pop("json"), given.pop("only")
    publish(run(measure(Wanted(**given), parts)), as_json=as_json)


async def measure(wanted: Wanted, parts: Sequence[str]) -> Report:
    """Measure some parts in the order of ``PARTS``, on one server."""
    figures: list[Figure] = []
    tables: list[Table] = []
    async with migrated_stack() as stack:
        for name, part in PARTS.items():
            if name in parts:
                await asyncio.to_thread(_empty, stack.relational_url)
                found, explained = await part(stack, wanted)
                figures.extend(found)
                tables.extend(explained)
    return Report(benchmark="messages", figures=figures, tables=tables)


async def _stages(stack: EmbeddedStack, wanted: Wanted) -> Findings:
    outcomes = [await _deliver(stack, wanted, number) for number in wanted.engines]
    figures = [
        Figure(
            case=f"all stages, {each.engines} engine(s)", ours=each.per_s, unit="/s", beside="goal", value=_GOAL_PER_S
        )
        for each in outcomes
    ]
    figures += [
        Figure(
            case=f"CPU per message, {each.engines} engines over {outcomes[0].engines}",
            ours=each.cpu_ms / outcomes[0].cpu_ms,
            unit="x",
            beside="at most",
            value=_GOAL_CPU,
        )
        for each in outcomes[1:]
    ]
    return figures, [_table(f"all stages, {wanted.messages} messages, sends of 0 ms", outcomes)]


async def _scaling(stack: EmbeddedStack, wanted: Wanted) -> Findings:
    slow = attrs.evolve(wanted, messages=max(1, wanted.messages // 5), max_sends=wanted.slow_sends)
    outcomes = [await _deliver(stack, slow, number, send_s=_SCALING_SEND_S) for number in wanted.engines]
    figures = [
        Figure(
            case=f"rate, {each.engines} engines over {outcomes[0].engines}, sends of 50 ms",
            ours=each.per_s / outcomes[0].per_s,
            unit="x",
            beside="goal" if each.engines == 2 * outcomes[0].engines else "",
            value=_GOAL_SCALING if each.engines == 2 * outcomes[0].engines else None,
        )
        for each in outcomes[1:]
    ]
    title = f"scaling, {slow.messages} messages, {wanted.slow_sends} sends of 50 ms at once per engine"
    return figures, [_table(title, outcomes)]


def _table(title: str, outcomes: Sequence[Outcome]) -> Table:
    columns = (
        "engines",
        "messages/s",
        "Python ms/message",
        "server ms/message",
        "statements/message",
        "commits/message",
    )
    rows: list[Sequence[Cell]] = [
        (each.engines, each.per_s, each.python_ms, each.server_ms, each.statements, each.transactions)
        for each in outcomes
    ]
    return Table(title=title, columns=columns, rows=rows)


async def _deliver(stack: EmbeddedStack, wanted: Wanted, engines: int, send_s: float = 0.0) -> Outcome:
    await asyncio.to_thread(_empty, stack.relational_url)
    progress(f"delivering {wanted.messages} messages, sends of {send_s * 1e3:.0f} ms, {engines} engine(s)")
    url, loop = stack.relational_url, asyncio.get_running_loop()
    async with database_of(url) as database:
        await enqueue(database, range(wanted.messages), wanted.networks)
    await asyncio.to_thread(_analyze, url)
    with ProcessPoolExecutor(engines, mp_context=multiprocessing.get_context("spawn")) as pool:
        # Everything is imported and connected before the clock starts.
        await asyncio.gather(*(loop.run_in_executor(pool, ready, url) for _ in range(engines)))
        server, before = ServerCpu.of(stack), ServerCpu.of(stack).seconds()
        task = Work(url=url, starts_at=time.time() + STARTS_IN_S, send_s=send_s, max_sends=wanted.max_sends)
        done = await asyncio.gather(*(loop.run_in_executor(pool, work, task) for _ in range(engines)))
        spent = server.seconds() - before
    delivered = sum(each.messages for each in done)
    if delivered != wanted.messages or (archived := await asyncio.to_thread(_archived, url)) != wanted.messages:
        raise RuntimeError(f"{delivered} of {wanted.messages} messages were answered, {archived} are in the archive")
    return Outcome(
        engines=engines,
        per_s=delivered / (max(each.ended_at for each in done) - task.starts_at),
        python_ms=sum(each.cpu_s for each in done) / delivered * 1e3,
        server_ms=spent / delivered * 1e3,
        statements=sum(each.statements for each in done) / delivered,
        transactions=sum(each.transactions for each in done) / delivered,
    )


async def _claims(stack: EmbeddedStack, wanted: Wanted) -> Findings:
    taken = await claim_times(stack, wanted.waiting, networks=wanted.networks, claims=wanted.claims)
    least = taken[0]
    figures = [
        Figure(
            case=f"a claim, {each.waiting:,} messages waiting",
            ours=each.p50_ms,
            unit="ms",
            beside="" if each is least else f"{least.waiting:,} waiting",
            value=None if each is least else least.p50_ms,
        )
        for each in taken
    ]
    rows = [(each.waiting, each.claimed, each.p50_ms, each.p99_ms) for each in taken]
    title = f"claims of up to 100 messages of as many networks, {wanted.networks} networks"
    return figures, [Table(title=title, columns=("waiting", "claimed", "p50 ms", "p99 ms"), rows=rows)]


async def _batches(stack: EmbeddedStack, wanted: Wanted) -> Findings:
    progress(f"enqueueing {wanted.messages} messages in batches")
    server, before = ServerCpu.of(stack), ServerCpu.of(stack).seconds()
    async with database_of(stack.relational_url) as database:
        await enqueue(database, range(500), wanted.networks)
        began, cpu = time.perf_counter(), time.process_time()
        await enqueue(database, range(500, 500 + wanted.messages), wanted.networks)
        took, python = time.perf_counter() - began, time.process_time() - cpu
    per_s = wanted.messages / took
    columns = ("messages/s", "Python ms/message", "server ms/message")
    spent = (server.seconds() - before) / (wanted.messages + 500)
    row = (per_s, python / wanted.messages * 1e3, spent * 1e3)
    figure = Figure(case="enqueued in batches of 500", ours=per_s, unit="/s", beside="goal", value=_GOAL_BATCHES_PER_S)
    return [figure], [Table(title="batches", columns=columns, rows=[row])]


async def _http(stack: EmbeddedStack, wanted: Wanted) -> Findings:
    turns = await enqueue_rates(
        stack,
        networks=wanted.networks,
        connections=wanted.connections,
        seconds=wanted.seconds,
        rounds=wanted.rounds,
    )
    bare, one, two = turns[BARE], turns[ONE], turns[TWO]
    figures = [
        Figure(case="enqueued over HTTP", ours=one.per_s, unit="/s", beside=BARE, value=bare.per_s),
        Figure(case="enqueued over HTTP, 2 processes", ours=two.per_s, unit="/s", beside="1 process", value=one.per_s),
        Figure(case="enqueued over HTTP: p50", ours=one.p50_ms, unit="ms", beside=BARE, value=bare.p50_ms),
        Figure(case="enqueued over HTTP: p99", ours=one.p99_ms, unit="ms", beside=BARE, value=bare.p99_ms),
    ]
    rows: list[Sequence[Cell]] = [
        (name, each.per_s, each.p50_ms, each.p99_ms, each.server_ms, each.database_ms, each.client_cpu)
        for name, each in turns.items()
    ]
    columns = ("server", "/s", "p50 ms", "p99 ms", "its CPU ms", "PostgreSQL ms", "generator's CPU")
    title = f"enqueueing over HTTP, {wanted.connections} connections, {wanted.networks} networks"
    return figures, [Table(title=title, columns=columns, rows=rows)]


def _empty(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"truncate {_TABLES}".encode())


def _analyze(url: str) -> None:
    """Do what autovacuum does in time."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum (analyze) messaging.device_messages")


def _archived(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select count(*) from messaging.message_archive where delivery_status = 'DELIVERY_SUCCESSFUL'"
        ).fetchone()
    return 0 if row is None else int(row[0])


PARTS: Mapping[str, Callable[[EmbeddedStack, Wanted], Coroutine[Any, Any, Findings]]] = {
    "stages": _stages,
    "scaling": _scaling,
    "batches": _batches,
    "http": _http,
    "claims": _claims,
}

if __name__ == "__main__":
    main()
