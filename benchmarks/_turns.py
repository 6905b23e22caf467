"""Two servers under the same load in turn, and what came of it: shared by the benchmarks of routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

import attrs
from _harness import Cell, Figure, Report, Table, progress
from _http_load import Answers, Load, measure
from _http_servers import Server
from _postgres import ServerCpu

_GOAL_PER_S = 0.6
_GOAL_P99 = 2.0


@attrs.frozen(kw_only=True)
class Turn:
    """What one server did under one load, and what its process and the database's spent per request."""

    answers: Answers
    server_ms: float
    database_ms: float


async def take_turns(
    name: str,
    servers: Sequence[Server],
    load: Load,
    requests: Callable[[], Sequence[bytes]],
    database: ServerCpu,
    rounds: int,
) -> Mapping[str, Sequence[Turn]]:
    """Load servers in turn.

    Args:
        name: Of the route.
        servers: The peer first.
        load: What is the same for all of them.
        requests: Makes those of one turn.
        database: Whose CPU is told, too.
        rounds: Turns of each server.
    """
    turns: dict[str, list[Turn]] = {server.name: [] for server in servers}
    for number in range(rounds):
        progress(f"{name}, round {number + 1} of {rounds}")
        for server in servers:
            asked = attrs.evolve(load, url=server.url, requests=requests())
            turns[server.name].append(await _turn(server, asked, database))
    return turns


async def _turn(server: Server, load: Load, database: ServerCpu) -> Turn:
    server_s, database_s = server.cpu_seconds(), database.seconds()
    answers = await measure(load)
    return Turn(
        answers=answers,
        server_ms=(server.cpu_seconds() - server_s) / answers.count * 1e3,
        database_ms=(database.seconds() - database_s) / answers.count * 1e3,
    )


def report(benchmark: str, turns: Mapping[str, Mapping[str, Sequence[Turn]]]) -> Report:
    """Hold ours against the peer's, route by route."""
    figures: list[Figure] = []
    rows: list[Sequence[Cell]] = []
    for case, by_server in turns.items():
        (peer, theirs), (_, ours) = by_server.items()
        for label, what, unit in (("requests", "per_s", "/s"), ("p50", "p50_ms", "ms"), ("p99", "p99_ms", "ms")):
            figures.append(_figure(f"{case}: {label}", what, unit, peer, ours, theirs))
        rows += [(case, name, *_costs(each)) for name, each in by_server.items()]
    columns = ("route", "server", "its CPU ms/request", "PostgreSQL ms/request", "bytes", "generator's CPU")
    goal = f"goal: requests at least {_GOAL_PER_S:g}x, p99 at most {_GOAL_P99:g}x; medians of the turns"
    return Report(
        benchmark=benchmark,
        figures=figures,
        tables=[Table(title="what a request costs", columns=columns, rows=rows)],
        notes=[goal],
    )


def _figure(case: str, what: str, unit: str, peer: str, ours: Sequence[Turn], theirs: Sequence[Turn]) -> Figure:
    def typical(turns: Sequence[Turn]) -> float:
        return float(median(getattr(turn.answers, what) for turn in turns))

    return Figure(case=case, ours=typical(ours), unit=unit, beside=peer, value=typical(theirs))


def _costs(turns: Sequence[Turn]) -> tuple[float, float, int, float]:
    return (
        median(turn.server_ms for turn in turns),
        median(turn.database_ms for turn in turns),
        round(median(turn.answers.bytes_mean for turn in turns)),
        median(turn.answers.client_cpu for turn in turns),
    )
