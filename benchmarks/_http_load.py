"""The load generator: one process that speaks HTTP over kept connections, as fast as it is answered or at a fixed rate.

Requests are bytes that were made before, answers are told apart by their length alone, so that the generator costs as
little as it can; its CPU is reported.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from urllib.parse import urlsplit

import attrs
from _harness import percentile, run

_WARM_UP_S = 0.5


@attrs.frozen(kw_only=True)
class Load:
    """What is asked of a server.

    Attributes:
        url: Of the server.
        requests: Whole requests as bytes, taken in turn.
        connections: How many are asked at once.
        seconds: How long, after a warm-up.
        rate: Requests a second, evenly spaced; None: each connection asks again as soon as it is answered.
        status: That a good answer has.
    """

    url: str
    requests: Sequence[bytes]
    connections: int = 8
    seconds: float = 4.0
    rate: float | None = None
    status: int = 200


@attrs.frozen(kw_only=True)
class Answers:
    """What came of it.

    Attributes:
        per_s: Answers a second.
        p50_ms: Of the time to answer; at a fixed rate it counts from the moment at which the request was due.
        bytes_mean: Of a body.
        client_cpu: Share of one core that the generator took.
    """

    count: int
    per_s: float
    p50_ms: float
    p99_ms: float
    bytes_mean: float
    client_cpu: float


def request(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Write a request."""
    length = {"Content-Length": str(len(body)), "Content-Type": "application/json"} if body else {}
    lines = [f"{name}: {value}" for name, value in {"Host": "127.0.0.1", **headers, **length}.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode() + body


async def measure(load: Load) -> Answers:
    """Put a load on a server, from a process of its own.

    Raises:
        RuntimeError: An answer had another status.
    """
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return await loop.run_in_executor(pool, _measure, load)


async def answer(url: str, asked: bytes, status: int = 200) -> bytes:
    """Return the body of one answer."""
    connection = await _Connection.open(Load(url=url, requests=[asked], status=status))
    try:
        return await connection.body(asked)
    finally:
        connection.close()


def _measure(load: Load) -> Answers:
    return run(_generate(load))


async def _generate(load: Load) -> Answers:
    requests = itertools.cycle(load.requests)
    connections = [await _Connection.open(load) for _ in range(load.connections)]
    await _ask_all(connections, requests, attrs.evolve(load, seconds=_WARM_UP_S, rate=None))
    began, cpu = time.perf_counter(), time.process_time()
    taken = await _ask_all(connections, requests, load)
    elapsed, spent = time.perf_counter() - began, time.process_time() - cpu
    for connection in connections:
        connection.close()
    return Answers(
        count=len(taken),
        per_s=len(taken) / elapsed,
        p50_ms=percentile([seconds for seconds, _ in taken], 0.5) * 1e3,
        p99_ms=percentile([seconds for seconds, _ in taken], 0.99) * 1e3,
        bytes_mean=sum(size for _, size in taken) / max(1, len(taken)),
        client_cpu=spent / elapsed,
    )


async def _ask_all(
    connections: Sequence[_Connection], requests: Iterator[bytes], load: Load
) -> list[tuple[float, int]]:
    """Return for each answer its time in seconds and the size of its body."""
    taken: list[tuple[float, int]] = []
    due = _due_times(load)

    async def keep_asking(connection: _Connection) -> None:
        for moment in due:
            await asyncio.sleep(moment - time.perf_counter()) if load.rate else None
            size = await connection.ask(next(requests))
            taken.append((time.perf_counter() - moment, size))

    await asyncio.gather(*map(keep_asking, connections))
    return taken


def _due_times(load: Load) -> Iterator[float]:
    """The moments at which requests are due; all connections take theirs from here."""
    began = time.perf_counter()
    if load.rate:
        yield from (began + number / load.rate for number in range(round(load.seconds * load.rate)))
        return
    while (now := time.perf_counter()) - began < load.seconds:
        yield now


class _Connection:
    def __init__(self, load: Load, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._status_line = f"HTTP/1.1 {load.status} ".encode()
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, load: Load) -> _Connection:
        address = urlsplit(load.url)
        return cls(load, *await asyncio.open_connection(address.hostname, address.port))

    async def ask(self, asked: bytes) -> int:
        """Return the size of the answer's body."""
        return len(await self.body(asked))

    async def body(self, asked: bytes) -> bytes:
        """Return the answer's body.

        Raises:
            RuntimeError: The answer had another status.
        """
        self._writer.write(asked)
        head = await self._reader.readuntil(b"\r\n\r\n")
        if not head.startswith(self._status_line):
            raise RuntimeError(f"{asked.split(b' HTTP')[0].decode()} was answered with {head[:60]!r}")
        _, _, rest = head.lower().partition(b"content-length: ")
        size = int(rest.partition(b"\r\n")[0])
        return await self._reader.readexactly(size)

    def close(self) -> None:
        self._writer.close()
