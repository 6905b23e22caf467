"""The whole product as processes: ``nxt up`` under payers that come as fast as the public page takes them."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import attrs
import psycopg
from _harness import Figure, Report, Table, percentile, progress
from _postgres import Pgbench, beside
from _processes import tree

_UP = (sys.executable, "-m", "nxt_entrypoints.cli.main", "up", "--json", "--no-traffic", "--report-every", "60m")
_NO_DELAYS = ("--min-interval-ms", "0", "--speed", "1000", "--log-level", "WARNING")
_STARTS_WITHIN_S = 120.0
_GIVES_UP_AFTER_S = 90.0
_AMOUNT = 500
_ROLES = ("api", "provisioning", "jobs", "telemetry", "simulators", "postgres", "valkey")
_AGES = """
    select extract(epoch from o.settled_at - o.created_at)::float8,
        extract(epoch from i.updated_at - o.created_at)::float8 as delivered
    from orders o left join meter_interactions i on i.order_id = o.id
        and i.meter_interaction_status = 'SUCCESSFUL'
    where o.id > %s
"""
_PROGRESS = """
    select count(*) filter (where order_status = 'COMPLETED') as settled,
        (select count(*) from meter_interactions i where i.order_id > %s
            and i.meter_interaction_status in ('SUCCESSFUL', 'FAILED', 'ABORTED')) as ended
    from orders where id > %s
"""
_COMMITS = "select xact_commit from pg_stat_database where datname = current_database()"


@attrs.frozen(kw_only=True)
class Outcome:
    """What a load came to.

    Attributes:
        settled_s: When the last order was settled, from the first purchase on.
        ended_s: When the last command had ended.
        settling: Ages of the orders at their settlement, seconds.
        delivering: Ages of the delivered orders when the meter had answered, seconds.
        cpu: CPU seconds by role.
        commits: Committed transactions.
    """

    orders: int
    settled_s: float
    ended_s: float
    settling: Sequence[float]
    delivering: Sequence[float]
    cpu: Mapping[str, float]
    commits: int


async def measure_whole(orders: int, at_once: int, peer: Pgbench) -> Report:
    """Start everything, pay, wait for the last answer, and let the peer run on the same server.

    Args:
        orders: Purchases, by the demo's meters in turn.
        at_once: Payers at the same time.
        peer: Runs afterwards, while the roles idle.
    """
    async with _product() as facts:
        outcome = await Load(facts, at_once).run(orders)
        tps = await peer.measure(facts["relational_url"])
    lost = outcome.orders - len(outcome.delivering)
    figures = [
        beside(peer, tps, "whole: orders settled", outcome.orders / outcome.settled_s),
        beside(peer, tps, "whole: orders delivered", len(outcome.delivering) / outcome.ended_s),
        *_latencies("settled after", outcome.settling),
        *_latencies("delivered after", outcome.delivering),
        Figure(case="whole: commits per order", ours=outcome.commits / orders, unit="commits"),
        Figure(case="whole: refused or repeated to no avail", ours=lost, unit="orders"),
    ]
    rows = [(role, spent, spent / orders * 1e3) for role, spent in outcome.cpu.items()]
    table = Table(title=f"whole, CPU of {orders} orders by role", columns=("role", "CPU s", "ms/order"), rows=rows)
    return Report(benchmark="chain", figures=figures, tables=[table])


def _latencies(what: str, ages: Sequence[float]) -> Sequence[Figure]:
    shares = (("p50", 0.5), ("p99", 0.99))
    return [Figure(case=f"whole: {what}, {name}", ours=percentile(ages, share), unit="s") for name, share in shares]


@asynccontextmanager
async def _product() -> AsyncIterator[Mapping[str, Any]]:
    """Run ``nxt up`` on a directory of its own; yield what it printed (R7)."""
    progress("starting nxt up")
    with TemporaryDirectory(prefix="nxt-bench-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o711)  # noqa: PTH101 - for once; the database server may run as another user
        process = await asyncio.create_subprocess_exec(
            *_UP, *_NO_DELAYS, "--data", f"{folder}/data",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, limit=1 << 20,
        )  # fmt: skip
        try:
            if process.stdout is None:
                raise RuntimeError("a pipe was asked for")
            line = await asyncio.wait_for(process.stdout.readline(), _STARTS_WITHIN_S)
            if not line:
                raise RuntimeError("nxt up ended before it was ready")
            yield json.loads(line)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


class Load:
    """Payers, and the books that tell what became of them.

    Args:
        facts: What ``nxt up --json`` printed.
        at_once: Payers at the same time.
    """

    def __init__(self, facts: Mapping[str, Any], at_once: int) -> None:
        self._facts = facts
        self._gate = asyncio.Semaphore(at_once)
        self._dice = random.Random(1)
        self._meters = [meter["external_reference"] for meter in facts["demo"]["meters"]]

    async def run(self, orders: int) -> Outcome:
        """Warm up, then buy ``orders`` times and wait for all commands to end, for a bounded time.

        Raises:
            TimeoutError: Orders were not settled in time.
        """
        url = self._facts["relational_url"]
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as books, _session() as session:
            await self._load(books, session, len(self._meters))
            progress(f"whole: {orders} orders")
            return await self._load(books, session, orders)

    async def _load(self, books: psycopg.AsyncConnection[Any], session: aiohttp.ClientSession, orders: int) -> Outcome:
        (last,) = await _row(books, "select coalesce(max(id), 0) from orders")
        (commits,) = await _row(books, _COMMITS)
        before, began = self._cpu(), time.perf_counter()
        payers = asyncio.gather(*(self._buy(session, number) for number in range(orders)))
        settled_s, ended_s = await self._until_ended(books, last, orders, began)
        await payers
        spent = {role: seconds - before[role] for role, seconds in self._cpu().items()}
        (committed,) = await _row(books, _COMMITS)
        ages = await (await books.execute(_AGES, (last,))).fetchall()
        return Outcome(
            orders=orders,
            settled_s=settled_s,
            ended_s=ended_s,
            settling=[age for age, _ in ages],
            delivering=[age for _, age in ages if age is not None],
            cpu=spent,
            commits=committed - commits,
        )

    async def _until_ended(
        self, books: psycopg.AsyncConnection[Any], last: int, orders: int, began: float
    ) -> tuple[float, float]:
        settled_s = 0.0
        while (now := time.perf_counter() - began) < _GIVES_UP_AFTER_S:
            settled, ended = await _row(books, _PROGRESS, last, last)
            if settled == orders and not settled_s:
                settled_s = now
            if ended == orders:
                return settled_s, now
            await asyncio.sleep(0.1)
        raise TimeoutError(f"of {orders} orders {settled} were settled and {ended} commands ended")

    async def _buy(self, session: aiohttp.ClientSession, number: int) -> None:
        """Make one purchase as a browser would; every payer comes from an address of its own (R8)."""
        order = {
            "meter_external_reference": self._meters[number % len(self._meters)],
            "amount": _AMOUNT,
            "currency": "NGN",
            "payment_channel": "NIFFLER",
        }
        address = ".".join(str(self._dice.randint(1, 254)) for _ in range(4))
        url = f"{self._facts['urls']['api']}/orders/flutterwave/initialise/public"
        async with self._gate:
            async with session.post(url, json=order, headers={"X-Forwarded-For": address}) as answer:
                answer.raise_for_status()
                reference = (await answer.json())["external_reference"]
            payment = {"tx_ref": reference, "amount": _AMOUNT, "currency": "NGN", "payment_type": "card"}
            async with session.post(f"{self._facts['simulators']['flutterwave']}/pay", json=payment) as answer:
                answer.raise_for_status()

    def _cpu(self) -> Mapping[str, float]:
        spent = {**dict.fromkeys(_ROLES, 0.0), "load generator": time.process_time()}
        for process in tree(int(self._facts["pid"])).values():
            role = _role_of(process.command)
            if role is not None:
                spent[role] += process.cpu_s + process.reaped_s
        return spent


def _role_of(command: str) -> str | None:
    if "postgres" in command.split(" ", 1)[0]:
        return "postgres"
    if "valkey-server" in command:
        return "valkey"
    if "nxt_entrypoints.simulators" in command:
        return "simulators"
    return next((role for role in _ROLES if f"cli.main {role} " in f"{command} "), None)


async def _row(books: psycopg.AsyncConnection[Any], query: str, *parameters: object) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = await (await books.execute(query.encode(), parameters)).fetchone()
    if row is None:
        raise RuntimeError("an aggregate has one row")
    return row


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
