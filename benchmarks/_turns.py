"""Two servers under the same load in turn, and what came of it: shared by the benchmarks of routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from statistics import fmean, median

import attrs
from _harness import Cell, Figure, Report, Table, progress, standard_error
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
    """Load servers in turn; who was last in one round is first in the next.

    Args:
        name: Of the route.
        servers: The peer first.
        load: What is the same for all of them.
        requests: Makes those of one turn.
        database: Whose CPU is told, too.
        rounds: Turns of each server.
    """
    turns: dict[str, list[Turn]] = {server.name: [] for server in servers}
    for number, order in zip(range(rounds), cycle((servers, servers[::-1])), strict=False):
        progress(f"{name}, round {number + 1} of {rounds}")
        for server in order:
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
    costs: list[Sequence[Cell]] = []
    ratios: list[Sequence[Cell]] = []
    for case, by_server in turns.items():
        (peer, theirs), (_, ours) = by_server.items()
        figures += [
            _figure(f"{case}: requests", "per_s", fmean, "/s", peer, ours, theirs),
            _figure(f"{case}: p50", "p50_ms", median, "ms", peer, ours, theirs),
            _figure(f"{case}: p99", "p99_ms", median, "ms", peer, ours, theirs),
        ]
        costs += [(case, name, *_costs(each)) for name, each in by_server.items()]
        ratios.append((case, *_ratio(ours, theirs)))
    cost_columns = ("route", "server", "its CPU ms/request", "PostgreSQL ms/request", "bytes", "generator's CPU")
    ratio_columns = ("route", "rounds", "mean of the ratios", "standard error")
    goal = (
        f"goal: requests at least {_GOAL_PER_S:g}x, p99 at most {_GOAL_P99:g}x; "
        "requests of all turns together, times are medians of the turns"
    )
    return Report(
        benchmark=benchmark,
        figures=figures,
        tables=[
            Table(title="what a request costs", columns=cost_columns, rows=costs),
            Table(title="requests a second, round by round", columns=ratio_columns, rows=ratios),
        ],
        notes=[goal],
    )


def _figure(
    case: str,
    what: str,
    together: Callable[[Sequence[float]], float],
    unit: str,
    peer: str,
    ours: Sequence[Turn],
    theirs: Sequence[Turn],
) -> Figure:
    def typical(turns: Sequence[Turn]) -> float:
        return together([getattr(turn.answers, what) for turn in turns])

    return Figure(case=case, ours=typical(ours), unit=unit, beside=peer, value=typical(theirs))


def _costs(turns: Sequence[Turn]) -> tuple[float, float, int, float]:
    return (
        median(turn.server_ms for turn in turns),
        median(turn.database_ms for turn in turns),
        round(median(turn.answers.bytes_mean for turn in turns)),
        median(turn.answers.client_cpu for turn in turns),
    )


def _ratio(ours: Sequence[Turn], theirs: Sequence[Turn]) -> tuple[int, float, float | None]:
    """Hold turns that followed each other against each other: the machine's own speed was the same for both."""
    ratios = [our.answers.per_s / their.answers.per_s for our, their in zip(ours, theirs, strict=True)]
    return len(ratios), fmean(ratios), standard_error(ratios)
