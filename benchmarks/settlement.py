"""Orders settled per second by one worker, two and four, beside pgbench, on empty tables and after a million orders.

Orders are ``PENDING``, as a payment leaves them; the jobs role's own worker settles them: ledger entry, order,
transaction rows, interaction, token, device message, outbox and SMS, with all triggers and indexes in place,
``fsync`` and ``synchronous_commit`` on [R38, R46]. Workers are processes of their own, as the jobs role runs them; each
settles a few orders before the clock starts, one by one, since a session's first statements cost what later ones find
ready, and workers live for days. Orders come from the system wallet, each for a meter of its own; or all from one
agent's wallet, one after the other [PAY-105].

The peer is pgbench's TPC-B on the same server in the same run: the rate of small transactions that the machine can make
durable. Settlement may pass it, since one transaction settles up to 200 orders [R3]. Each measurement is taken
``--runs`` times; the better one counts, as with pgbench.

A second database on the server holds a million earlier orders, and should not fall below 0.9 of the first [PAY-198] 15.
For this ratio the two are settled in turn, half a second each, in ``--rounds`` rounds: a machine has quiet seconds and
busy ones, and each gets its share of both. All turns count, and how far their ratios lie apart is told.

Run: ``python benchmarks/settlement.py [--orders N] [--earlier N] [--json]``
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from statistics import fmean

import attrs
from _earlier import load_earlier, put_away, relaxed
from _harness import Report, Table, arguments, count, progress, publish, run, standard_error
from _postgres import Pgbench, ServerCpu, another_database, beside, migrated_stack
from _settlement_crew import WARM_UPS, Crew
from _settlement_turns import Comparison, Turn, take_turns
from _village import BASELINE, Village, open_village

from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_domain.orders.gateway import NewCharge
from nxt_domain.orders.meta import order_meta
from nxt_domain.orders.model import NewOrder, PaymentChannel
from nxt_domain.orders.states import OrderStatus
from nxt_domain.shared.money import Currency
from nxt_entrypoints.embedded.stack import EmbeddedStack
from nxt_entrypoints.ledger_audit import audit

_AMOUNT = Decimal(1000)
_CHUNK = 500
# The pages of a million orders' indexes that a run touches, some 40,000, stay in memory, as on a server made for them.
_SHARED_BUFFERS_MB = 1024


@attrs.frozen(kw_only=True)
class Outcome:
    """What some workers did together."""

    name: str
    earlier: int
    workers: int
    orders_per_s: float
    python_ms: float
    server_ms: float
    statements: float

    @property
    def case(self) -> str:
        """Which measurement it is."""
        return f"{self.name}, {self.workers} worker(s)"


@attrs.frozen(kw_only=True)
class Plan:
    """What is measured.

    Attributes:
        orders: Of each measurement, for as many meters.
        sales: Of each measurement with one agent; 0: that is not measured.
        workers: How many there are in each measurement.
        runs: How often each is taken.
        rounds: How often orders are placed to be settled in turn, with and without earlier ones.
        earlier: Settled orders in the tables of a second database; 0: there is none.
    """

    orders: int
    sales: int
    workers: Sequence[int]
    runs: int
    rounds: int
    earlier: int


@attrs.frozen(kw_only=True)
class Source:
    """A wallet that pays, and the wallets that it pays to."""

    name: str
    wallet_id: int
    receivers: Sequence[int]


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--orders", type=count, default=3000, help="of each measurement (default: 3000)")
    parser.add_argument("--sales", type=int, default=300, help="of one agent; 0: not measured (default: 300)")
    parser.add_argument("--workers", type=count, nargs="+", default=[1, 2, 4], help="(default: 1 2 4)")
    parser.add_argument("--runs", type=count, default=2, help="of each measurement (default: 2)")
    parser.add_argument("--rounds", type=count, default=6, help="of turns with and without earlier orders (default: 6)")
    parser.add_argument("--earlier", type=int, default=1_000_000, help="orders; 0: none (default: 1000000)")
    Pgbench.add_to(parser)
    wanted = parser.parse_args()
    plan = Plan(
        orders=wanted.orders,
        sales=min(wanted.sales, wanted.orders),
        workers=wanted.workers,
        runs=wanted.runs,
        rounds=wanted.rounds,
        earlier=wanted.earlier,
    )
    report = run(measure(plan, Pgbench.of(wanted)))
    publish(report, as_json=wanted.json)


async def measure(plan: Plan, peer: Pgbench) -> Report:
    """Measure on empty tables and on full ones in turn, and let the peer run."""
    async with migrated_stack(shared_buffers_mb=_SHARED_BUFFERS_MB) as stack, AsyncExitStack() as villages:
        towns = [Town(stack, await villages.enter_async_context(open_village(stack, plan.orders)))]
        await towns[0].begin()
        notes = [f"shared_buffers: {_SHARED_BUFFERS_MB} MB"]
        if plan.earlier > 0:
            url = await another_database(stack, "nxt_aged")
            aged = Town(stack, await villages.enter_async_context(open_village(stack, plan.orders, url)), plan.earlier)
            await aged.begin()
            notes.append(f"{plan.earlier:,} earlier orders were written in {await aged.grow_old():.0f} s")
            towns.append(aged)
        outcomes: list[Outcome] = []
        comparisons: list[Comparison] = []
        for workers in plan.workers:
            async with AsyncExitStack() as at_work:
                crews = [await at_work.enter_async_context(town.crew(workers)) for town in towns]
                for _ in range(plan.runs):
                    outcomes += [await town.settle(crew) for town, crew in zip(towns, crews, strict=True)]
                if plan.sales:
                    outcomes.append(await towns[0].sell(crews[0], plan.sales))
                if plan.earlier > 0:
                    comparisons.append(await compare(towns, crews, plan.rounds))
        tps = await peer.measure(stack.relational_url)
        for town in towns:
            findings = await audit(town.url)
            notes.append(
                "; ".join([f"{town.name}: nxt ledger audit: {len(findings)} findings", *map(str, findings[:3])])
            )
    return _report(peer, tps, _best(outcomes), comparisons, notes)


async def compare(towns: Sequence[Town], crews: Sequence[Crew], rounds: int) -> Comparison:
    """Let two crews settle in turn.

    Args:
        towns: What is compared, and what it is held against.
        crews: One for each town.
        rounds: How often an order of each meter is placed.
    """
    pairs: list[tuple[Turn, Turn]] = []
    for number in range(rounds):
        for town, crew in zip(towns, crews, strict=True):
            await town.prepare(crew)
        progress(f"settling orders in turn, {crews[0].size} worker(s), round {number + 1} of {rounds}")
        pairs += await take_turns(*crews, other_first=number % 2 == 1)
    theirs, ours = zip(*pairs, strict=True)
    return Comparison(cases=(towns[0].name, towns[1].name), workers=crews[0].size, theirs=theirs, ours=ours)


def _best(outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    by_case: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_case[outcome.case].append(outcome)
    return [max(each, key=lambda outcome: outcome.orders_per_s) for each in by_case.values()]


def _report(
    peer: Pgbench,
    tps: float | None,
    outcomes: Sequence[Outcome],
    comparisons: Sequence[Comparison],
    notes: Sequence[str],
) -> Report:
    costs = Table(
        title="",
        columns=("settlement", "Python ms/order", "server ms/order", "statements/order"),
        rows=[(each.case, each.python_ms, each.server_ms, each.statements) for each in outcomes],
    )
    turns = Table(
        title="",
        columns=("in turn", "turns", "mean of the ratios", "standard error"),
        rows=[(each.case, len(each.ratios), fmean(each.ratios), standard_error(each.ratios)) for each in comparisons],
    )
    return Report(
        benchmark="settlement",
        figures=[
            *(beside(peer, tps, outcome.case, outcome.orders_per_s) for outcome in outcomes),
            *(each.figure() for each in comparisons),
        ],
        tables=[costs, turns] if comparisons else [costs],
        notes=notes,
    )


class Town:
    """A village on the server, whose orders are settled again and again.

    Args:
        stack: The server.
        village: The village.
        earlier: How many settled orders its tables are to hold.
    """

    def __init__(self, stack: EmbeddedStack, village: Village, earlier: int = 0) -> None:
        self._stack = stack
        self._village = village
        self._earlier = earlier
        self._measured = 0

    @property
    def url(self) -> str:
        """Of its database, as the owner."""
        return self._village.relational_url

    @property
    def name(self) -> str:
        """What its figures are called."""
        return f"after {self._earlier:,} orders" if self._earlier else "distinct meters"

    async def begin(self) -> None:
        """Settle one order of each meter: plans that are made for empty tables read all there is, row by row."""
        await self._place(self._all(), _AMOUNT)
        await self._settle_here()
        await asyncio.to_thread(put_away, self.url)

    async def grow_old(self) -> float:
        """Write the earlier orders; return the seconds that it took."""
        load = partial(load_earlier, sender_wallet_id=BASELINE.banking_system_wallet_id)
        with relaxed(self.url):
            return await asyncio.to_thread(load, self.url, self._earlier)

    @asynccontextmanager
    async def crew(self, workers: int) -> AsyncIterator[Crew]:
        """Let workers begin, and settle an order of each meter that nobody measures."""
        async with Crew(self._village.environment, workers) as crew:
            await self.settle(crew)
            yield crew

    async def settle(self, crew: Crew) -> Outcome:
        """Settle an order of each meter."""
        return await self._settle(self._all(), crew)

    async def prepare(self, crew: Crew) -> None:
        """Let an order of each meter wait for workers that are warm."""
        await self._prepare(self._all(), crew)

    async def sell(self, crew: Crew, sales: int) -> Outcome:
        """Settle orders that one agent pays."""
        wallet_id = self._village.agent_wallet_id
        banking = BASELINE.banking_system_wallet_id
        await self._place(Source(name="", wallet_id=banking, receivers=[wallet_id]), _AMOUNT * sales)
        await self._settle_here()
        return await self._settle(attrs.evolve(self._some(sales), name="one agent", wallet_id=wallet_id), crew)

    def _all(self) -> Source:
        return self._some(len(self._village.meters))

    def _some(self, meters: int) -> Source:
        wallets = [meter.wallet_id for meter in self._village.meters[:meters]]
        return Source(name=self.name, wallet_id=BASELINE.banking_system_wallet_id, receivers=wallets)

    async def _settle_here(self) -> None:
        while (await self._village.container.settle_orders()()).found_work:
            pass

    async def _prepare(self, source: Source, crew: Crew) -> None:
        await asyncio.to_thread(put_away, self.url)
        await self._place(self._some(crew.size * WARM_UPS), _AMOUNT)
        await crew.warm_up()
        await self._settle_here()  # what one worker left to another that had enough
        await self._place(source, _AMOUNT)

    async def _settle(self, source: Source, crew: Crew) -> Outcome:
        await self._prepare(source, crew)
        orders = len(source.receivers)
        progress(f"settling {orders} orders, {source.name}, {crew.size} worker(s)")
        server, before = ServerCpu.of(self._stack), ServerCpu.of(self._stack).seconds()
        starts_at = time.time()
        done = await crew.settle()
        spent = server.seconds() - before
        settled = sum(work.orders for work in done)
        if settled != orders:
            raise RuntimeError(f"{settled} of {orders} orders were settled")
        return Outcome(
            name=source.name,
            earlier=self._earlier,
            workers=crew.size,
            orders_per_s=orders / (max(work.ended_at for work in done) - starts_at),
            python_ms=sum(work.cpu_s for work in done) / orders * 1e3,
            server_ms=spent / orders * 1e3,
            statements=sum(work.statements for work in done) / orders,
        )

    async def _place(self, source: Source, amount: Decimal) -> None:
        """Store an order for each receiver through the repositories, ready to be settled."""
        self._measured += 1
        for first in range(0, len(source.receivers), _CHUNK):
            some = attrs.evolve(source, receivers=source.receivers[first : first + _CHUNK])
            async with self._village.container.unit_of_work() as tx:
                await _place(tx, some, amount, f"{self._measured}-{first}")
                await tx.commit()


async def _place(tx: SupabaseUnitOfWork, source: Source, amount: Decimal, prefix: str) -> None:
    is_paid_outside = source.wallet_id == BASELINE.banking_system_wallet_id
    parties = await tx.orders.parties([source.wallet_id, *source.receivers])
    new = [
        NewOrder(
            status=OrderStatus.PENDING,
            amount=amount,
            currency=Currency.NGN,
            sender_wallet_id=source.wallet_id,
            receiver_wallet_id=wallet,
            channel=PaymentChannel.NIFFLER if is_paid_outside else PaymentChannel.AYRTON,
            external_reference=f"{prefix}-{wallet}" if is_paid_outside else None,
            meta=order_meta(
                sender=parties[source.wallet_id],
                receiver=parties[wallet],
                author=None,
                platform_organization_id=BASELINE.platform_organization_id,
            ),
        )
        for wallet in source.receivers
    ]
    stored = await tx.orders.add(new)
    await tx.charges.add(
        {order.id: _charge(order.external_reference, amount) for order in stored if order.external_reference}
    )


def _charge(reference: str, amount: Decimal) -> NewCharge:
    return NewCharge(
        merchant="platform",
        reference=reference,
        amount=amount,
        currency=Currency.NGN,
        next_verify_at=datetime.now(UTC),
    )


if __name__ == "__main__":
    main()
