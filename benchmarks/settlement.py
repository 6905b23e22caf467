"""Orders settled per second by one worker and by two, each order for a meter of its own, beside pgbench.

Orders are ``PENDING``, as a payment leaves them; the jobs role's own worker settles them: ledger entry, order,
transaction rows, interaction, token, device message, outbox and SMS, with all triggers and indexes in place,
``fsync`` and ``synchronous_commit`` on [R38, R46]. Workers are processes of their own.

The peer is pgbench's TPC-B on the same server in the same run: the rate of small transactions that the machine can make
durable. Settlement may pass it, since one transaction settles up to 200 orders [R3].

Run: ``python benchmarks/settlement.py [--orders N] [--json]``
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import attrs
from _harness import Figure, Report, Table, arguments, count, progress, publish, run
from _postgres import Pgbench, ServerCpu, beside, counted, migrated_stack
from _village import BASELINE, Village, open_village, wire

from nxt_domain.orders.gateway import NewCharge
from nxt_domain.orders.meta import order_meta
from nxt_domain.orders.model import NewOrder, PaymentChannel
from nxt_domain.orders.states import OrderStatus
from nxt_domain.shared.money import Currency
from nxt_entrypoints.embedded.stack import EmbeddedStack
from nxt_entrypoints.jobs.settlement_worker import SettlementWorker

_AMOUNT = Decimal(1000)
_CHUNK = 500
_STARTS_IN_S = 1.0


@attrs.frozen(kw_only=True)
class Work:
    """What one worker did.

    Attributes:
        ended_at: When it found nothing more, seconds of the Unix clock.
        cpu_s: Of its process, from the common start on.
    """

    orders: int
    ended_at: float
    cpu_s: float
    statements: int


@attrs.frozen(kw_only=True)
class Outcome:
    """What some workers did together."""

    workers: int
    orders_per_s: float
    python_ms: float
    server_ms: float
    statements: float


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--orders", type=count, default=3000, help="of each measurement (default: 3000)")
    parser.add_argument("--workers", type=count, nargs="+", default=[1, 2], help="(default: 1 2)")
    Pgbench.add_to(parser)
    wanted = parser.parse_args()
    report = run(measure(wanted.orders, wanted.workers, Pgbench.of(wanted)))
    publish(report, as_json=wanted.json)


async def measure(orders: int, workers: Sequence[int], peer: Pgbench) -> Report:
    """Settle ``orders`` orders with each number of workers, then let the peer run."""
    async with migrated_stack() as stack:
        async with open_village(stack, orders) as village:
            outcomes = [await _settle(stack, village, orders, number) for number in workers]
        tps = await peer.measure(stack.relational_url)
    figures: list[Figure] = [
        beside(peer, tps, f"orders settled, {outcome.workers} worker(s)", outcome.orders_per_s) for outcome in outcomes
    ]
    columns = ("workers", "Python ms/order", "server ms/order", "statements/order")
    rows = [(each.workers, each.python_ms, each.server_ms, each.statements) for each in outcomes]
    table = Table(title=f"settlement, {orders} orders of {orders} meters", columns=columns, rows=rows)
    return Report(benchmark="settlement", figures=figures, tables=[table])


async def _settle(stack: EmbeddedStack, village: Village, orders: int, workers: int) -> Outcome:
    await _place(village, orders, f"{workers}-")
    progress(f"settling {orders} orders, {workers} worker(s)")
    environ, loop = village.environment, asyncio.get_running_loop()
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        # Everything is imported and connected before the clock starts.
        await asyncio.gather(*(loop.run_in_executor(pool, _ready, environ) for _ in range(workers)))
        server, before = ServerCpu.of(stack), ServerCpu.of(stack).seconds()
        starts_at = time.time() + _STARTS_IN_S
        done = await asyncio.gather(*(loop.run_in_executor(pool, _work, environ, starts_at) for _ in range(workers)))
        spent = server.seconds() - before
    settled = sum(work.orders for work in done)
    if settled != orders:
        raise RuntimeError(f"{settled} of {orders} orders were settled")
    return Outcome(
        workers=workers,
        orders_per_s=orders / (max(work.ended_at for work in done) - starts_at),
        python_ms=sum(work.cpu_s for work in done) / orders * 1e3,
        server_ms=spent / orders * 1e3,
        statements=sum(work.statements for work in done) / orders,
    )


def _ready(environ: Mapping[str, str]) -> None:
    """Import and compile what a worker needs."""
    wire(environ)
    time.sleep(_STARTS_IN_S / 2)  # so that each process of the pool takes one of these calls


def _work(environ: Mapping[str, str], starts_at: float) -> Work:
    return run(_settle_all(environ, starts_at))


async def _settle_all(environ: Mapping[str, str], starts_at: float) -> Work:
    container = wire(environ)
    worker = SettlementWorker(settle=container.settle_orders(), wake_ups=container.wake_ups())
    async with container.engine().connect():  # the first connection is made before the clock starts
        pass
    with counted(container.engine()) as traffic:
        await asyncio.sleep(max(0.0, starts_at - time.time()))
        cpu, orders = time.process_time(), 0
        while settled := await worker.work_once():
            orders += settled
        work = Work(
            orders=orders,
            ended_at=time.time(),
            cpu_s=time.process_time() - cpu,
            statements=traffic.statements,
        )
    await container.engine().dispose()
    return work


async def _place(village: Village, orders: int, prefix: str) -> None:
    """Store paid orders, one for each meter, through the repositories."""
    progress(f"placing {orders} orders")
    wallets = [meter.wallet_id for meter in village.meters[:orders]]
    for first in range(0, orders, _CHUNK):
        await _place_chunk(village, wallets[first : first + _CHUNK], f"{prefix}{first}")


async def _place_chunk(village: Village, wallets: Sequence[int], prefix: str) -> None:
    system = BASELINE.banking_system_wallet_id
    async with village.container.unit_of_work() as tx:
        parties = await tx.orders.parties([system, *wallets])
        new = [
            NewOrder(
                status=OrderStatus.PENDING,
                amount=_AMOUNT,
                currency=Currency.NGN,
                sender_wallet_id=system,
                receiver_wallet_id=wallet,
                channel=PaymentChannel.NIFFLER,
                external_reference=f"{prefix}-{wallet}",
                meta=order_meta(
                    sender=parties[system],
                    receiver=parties[wallet],
                    author=None,
                    platform_organization_id=BASELINE.platform_organization_id,
                ),
            )
            for wallet in wallets
        ]
        stored = await tx.orders.add(new)
        await tx.charges.add({order.id: _charge(order.external_reference or "") for order in stored})
        await tx.commit()


def _charge(reference: str) -> NewCharge:
    return NewCharge(
        merchant="platform",
        reference=reference,
        amount=_AMOUNT,
        currency=Currency.NGN,
        next_verify_at=datetime.now(UTC),
    )


if __name__ == "__main__":
    main()
