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
_PACED_S = 10.0
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
        paid_s: When the last payer had paid, seconds from the first purchase on.
        settled_s: When the last order was settled.
        ended_s: When the last command had ended.
        settling: Ages of the orders at their settlement, seconds.
        delivering: Ages of the delivered orders when the meter had answered, seconds.
        cpu: CPU seconds by role.
        commits: Committed transactions.
    """

    orders: int
    paid_s: float
    settled_s: float
    ended_s: float
    settling: Sequence[float]
    delivering: Sequence[float]
    cpu: Mapping[str, float]
    commits: int

    @property
    def paid_per_s(self) -> float:
        """Purchases per second."""
        return self.orders / self.paid_s

    @property
    def settled_per_s(self) -> float:
        """Orders settled per second, until the last one was."""
        return self.orders / self.settled_s

    @property
    def delivered_per_s(self) -> float:
        """Orders whose energy the meter took per second, until the last command had ended."""
        return len(self.delivering) / self.ended_s


async def measure_whole(orders: int, at_once: int, peer: Pgbench) -> Report:
    """Start everything, pay, wait for the last answer, and let the peer run on the same server.

    Args:
        orders: Purchases, by the demo's meters in turn.
        at_once: Payers at the same time.
        peer: Runs afterwards, while the roles idle.
    """
    async with _product() as facts:
        full, paced = await Load(facts, at_once).run(orders)
        tps = await peer.measure(facts["relational_url"])
    undelivered = full.orders - len(full.delivering) + paced.orders - len(paced.delivering)
    figures = [
        beside(peer, tps, "whole: orders settled", full.settled_per_s),
        beside(peer, tps, "whole: orders delivered", full.delivered_per_s),
        Figure(case="whole, half that load: orders paid", ours=paced.paid_per_s, unit="/s"),
        *_latencies("settled after", paced.settling),
        *_latencies("delivered after", paced.delivering),
        Figure(case="whole: commits per order", ours=full.commits / orders, unit="commits"),
        Figure(case="whole: paid and not delivered", ours=undelivered, unit="orders", beside="allowed", value=0),
    ]
    rows = [(role, spent, spent / orders * 1e3) for role, spent in full.cpu.items()]
    table = Table(title=f"whole, CPU of {orders} orders by role", columns=("role", "CPU s", "ms/order"), rows=rows)
    return Report(benchmark="chain", figures=figures, tables=[table])


def _latencies(what: str, ages: Sequence[float]) -> Sequence[Figure]:
    shares = (("p50", 0.5), ("p99", 0.99))
    return [
        Figure(case=f"whole, half that load: {what}, {name}", ours=percentile(ages, share), unit="s")
        for name, share in shares
    ]


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

    async def run(self, orders: int) -> tuple[Outcome, Outcome]:
        """Warm up, buy ``orders`` times as fast as possible, then for some seconds at half the rate that came of it.

        The first run tells how much goes through, the second how long one purchase takes when nothing queues.

        Raises:
            TimeoutError: Orders were not settled in time.
        """
        url = self._facts["relational_url"]
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as books, _session() as session:
            await self._load(books, session, len(self._meters))
            progress(f"whole: {orders} orders at once")
            full = await self._load(books, session, orders)
            per_s = full.delivered_per_s / 2
            some = max(1, min(orders, round(per_s * _PACED_S)))
            progress(f"whole: {some} orders at {per_s:.0f} a second")
            return full, await self._load(books, session, some, every_s=1 / per_s)

    async def _load(
        self, books: psycopg.AsyncConnection[Any], session: aiohttp.ClientSession, orders: int, every_s: float = 0.0
    ) -> Outcome:
        (last,) = await _row(books, "select coalesce(max(id), 0) from orders")
        (commits,) = await _row(books, _COMMITS)
        before, began = self._cpu(), time.perf_counter()
        payers = asyncio.create_task(self._pay(session, orders, every_s))
        settled_s, ended_s = await self._until_ended(books, payers, last, orders, began)
        paid_s = await payers
        spent = {role: seconds - before[role] for role, seconds in self._cpu().items()}
        (committed,) = await _row(books, _COMMITS)
        ages = await (await books.execute(_AGES, (last,))).fetchall()
        return Outcome(
            orders=orders,
            paid_s=paid_s,
            settled_s=settled_s,
            ended_s=ended_s,
            settling=[age for age, _ in ages],
            delivering=[age for _, age in ages if age is not None],
            cpu=spent,
            commits=committed - commits,
        )

    async def _until_ended(
        self, books: psycopg.AsyncConnection[Any], payers: asyncio.Task[float], last: int, orders: int, began: float
    ) -> tuple[float, float]:
        settled_s = 0.0
        while (now := time.perf_counter() - began) < _GIVES_UP_AFTER_S:
            settled, ended = await _row(books, _PROGRESS, last, last)
            if settled == orders and not settled_s:
                settled_s = now
            if ended == orders:
                return settled_s, now
            if payers.done():
                payers.result()  # raises what befell a payer
            await asyncio.sleep(0.1)
        raise TimeoutError(f"of {orders} orders {settled} were settled and {ended} commands ended")

    async def _pay(self, session: aiohttp.ClientSession, orders: int, every_s: float) -> float:
        began = time.perf_counter()

        async def one(number: int) -> None:
            await asyncio.sleep(every_s * number)
            await self._buy(session, number)

        await asyncio.gather(*(one(number) for number in range(orders)))
        return time.perf_counter() - began

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
