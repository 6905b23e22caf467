"""Each step of the chain alone, for many orders, in this process over real stores."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

import attrs
from _harness import Figure, Report, Table, progress
from _postgres import Pgbench, ServerCpu, Traffic, beside, counted, migrated_stack
from _village import TARIFF, Village, open_village

from nxt_adapters.chirpstack import PLUGIN_ID
from nxt_domain.messaging.model import (
    CommandType,
    DeliveryStatus,
    Device,
    DeviceEvent,
    DeviceMessage,
    EventHalf,
    ExecutionStatus,
    HalfKind,
    RelayNode,
    Response,
)
from nxt_domain.messaging.ports import Lease
from nxt_domain.messaging.use_cases import Dispatch, LeaseKeeper, Outcomes
from nxt_domain.meters.use_cases.top_ups import TopUpCommands
from nxt_domain.orders.model import PaymentChannel
from nxt_domain.orders.use_cases.public_orders import PublicPurchase
from nxt_domain.shared.json import Json
from nxt_domain.shared.money import Currency
from nxt_entrypoints.jobs.handlers import Handlers
from nxt_entrypoints.jobs.relay import OutboxRelay

AMOUNT = Decimal(1000)
_WARM_UP = 50
_SENDING_ENDS = timedelta(seconds=30)
_T = TypeVar("_T")
_U = TypeVar("_U")
_COLUMNS = ("step", "share", "ms/order", "of it Python", "of it server", "statements/order", "commits/order")


@attrs.define
class Step:
    """What one step has cost so far.

    Attributes:
        wall_s: Time that passed.
        python_s: CPU of this process.
        server_s: CPU of the database server.
    """

    wall_s: float = 0.0
    python_s: float = 0.0
    server_s: float = 0.0
    statements: int = 0
    transactions: int = 0


class Stopwatch:
    """Adds up the cost of each step, in the order in which they first ran.

    Args:
        traffic: Counts statements.
        server: The database server.
    """

    def __init__(self, traffic: Traffic, server: ServerCpu) -> None:
        self._traffic = traffic
        self._server = server
        self.steps: dict[str, Step] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what runs inside."""
        before = self._traffic.now()
        wall, python, server = time.perf_counter(), time.process_time(), self._server.seconds()
        yield
        step = self.steps.setdefault(name, Step())
        step.wall_s += time.perf_counter() - wall
        step.python_s += time.process_time() - python
        step.server_s += self._server.seconds() - server
        spent = self._traffic - before
        step.statements += spent.statements
        step.transactions += spent.transactions

    def table(self, title: str, orders: int) -> Table:
        """Write the steps with their shares; a step in brackets is part of the one above it."""
        whole = sum(step.wall_s for name, step in self.steps.items() if not name.startswith("("))
        rows = [
            (
                name,
                f"{step.wall_s / whole:.0%}",
                step.wall_s / orders * 1e3,
                step.python_s / orders * 1e3,
                step.server_s / orders * 1e3,
                step.statements / orders,
                step.transactions / orders,
            )
            for name, step in self.steps.items()
        ]
        return Table(title=title, columns=_COLUMNS, rows=rows)


class TimedTopUps(TopUpCommands):
    """The settlement's commands, timed as a part of it."""

    watch: Stopwatch

    async def create_for_orders(self, *arguments: object) -> None:
        """See ``TopUpCommands``."""
        with self.watch.step("(of it: commands, tokens, messages)"):
            await super().create_for_orders(*arguments)  # type: ignore[arg-type]  # passed through as they came


async def measure_steps(orders: int, meters: int, at_once: int, peer: Pgbench) -> Report:
    """Take orders through the chain, step by step.

    Args:
        orders: Purchases.
        meters: That buy in turn; each buys ``orders / meters`` times.
        at_once: Requests at the same time.
        peer: Runs afterwards, on the same server.
    """
    async with migrated_stack() as stack:
        server = ServerCpu.of(stack)
        async with open_village(stack, min(meters, orders)) as village:
            with counted(village.container.engine()) as traffic:
                await Chain(village, Stopwatch(traffic, server), at_once).run(_WARM_UP)
                chain = Chain(village, Stopwatch(traffic, server), at_once)
                await chain.run(orders)
        tps = await peer.measure(stack.relational_url)
    whole_s = sum(step.wall_s for name, step in chain.watch.steps.items() if not name.startswith("("))
    settling_s = chain.watch.steps["settle"].wall_s
    return Report(
        benchmark="chain",
        figures=[
            beside(peer, tps, "steps: settlement alone", orders / settling_s),
            beside(peer, tps, "steps: whole chain, one process", orders / whole_s),
            Figure(case="steps: statements per order", ours=chain.statements / orders, unit="statements"),
        ],
        tables=[chain.watch.table(f"steps, {orders} orders of {min(meters, orders)} meters", orders)],
    )


class Chain:
    """Takes orders from the pay page to the meter's answer.

    Args:
        village: The product.
        watch: Times the steps.
        at_once: Requests at the same time.
    """

    def __init__(self, village: Village, watch: Stopwatch, at_once: int) -> None:
        container = village.container
        self.watch = watch
        self._village = village
        self._gate = asyncio.Semaphore(at_once)
        TimedTopUps.watch = watch
        top_ups = TimedTopUps(clock=container.clock(), makers=container.token_makers())
        self._settle = container.settle_orders(top_ups=top_ups)
        handlers = Handlers(
            apply_delivery_events=container.apply_delivery_events(),
            process_gateway_events=container.process_gateway_events(),
            fulfil_top_up=container.fulfil_top_up(),
            charge_by_ussd=container.charge_by_ussd(),
            refund_suspense=container.refund_suspense(),
            export_payout=container.announcements().export_payout(),
            tell_bot=container.announcements().tell_bot(),
            realtime=container.realtime(),
            reports=container.telemetry_role(),
            forwards_reports=False,
        )
        self._lanes = {lane.kind: lane for lane in handlers.lanes()}
        wake_ups = container.wake_ups()
        self._relay = OutboxRelay(
            queue=container.outbox_queue(),
            lanes=list(self._lanes.values()),
            owner="bench",
            subscribe=wake_ups.subscribe,
        )
        workshop = container.workshop()
        self._dispatch = Dispatch(
            workshop,
            container.plugins().couriers,
            LeaseKeeper(workshop, Lease(owner="bench")),
            Outcomes(workshop),
        )

    @property
    def statements(self) -> int:
        """Statements of all steps."""
        return sum(step.statements for name, step in self.watch.steps.items() if not name.startswith("("))

    async def run(self, orders: int) -> None:
        """Run all steps.

        Raises:
            RuntimeError: An order was lost on the way.
        """
        progress(f"steps: {orders} orders")
        with self.watch.step("initialise"):
            references = await self._all(self._buy, range(orders))
        paid = [(reference, self._village.gateway.pay(reference, AMOUNT)) for reference in references]
        with self.watch.step("store the webhook"):
            await self._all(self._webhook, paid)
        with self.watch.step("verify"):
            await self._work_off("GATEWAY_EVENT")
        with self.watch.step("settle"):
            while (await self._settle()).found_work:
                pass
        delivered = await self._deliver()
        with self.watch.step("publish news"):
            await self._work_off("SOCKET_EVENT")
        if delivered < orders:
            raise RuntimeError(f"only {delivered} of {orders} top-ups were delivered")

    async def _buy(self, number: int) -> str:
        meter = self._village.meters[number % len(self._village.meters)]
        bought = await self._village.container.initialise_public_order()(
            PublicPurchase(
                meter_external_reference=meter.house.meter_number,
                amount=AMOUNT,
                currency=Currency.NGN,
                payment_channel=PaymentChannel.NIFFLER,
            )
        )
        return bought.external_reference

    async def _webhook(self, paid: tuple[str, int]) -> None:
        reference, transaction_id = paid
        facts: dict[str, Json] = {
            "id": transaction_id,
            "tx_ref": reference,
            "status": "successful",
            "amount": int(AMOUNT),
        }
        await self._village.container.receive_gateway_event()("platform", {"event": "charge.completed", "data": facts})

    async def _deliver(self) -> int:
        """Send messages, answer them and apply the answers, until nothing follows; return the top-ups delivered."""
        delivered = 0
        while True:
            with self.watch.step("claim and send"):
                while (await self._dispatch.run_pass()).claimed:
                    await self._dispatch.drain(_SENDING_ENDS)
            sent, self._village.network.sent = self._village.network.sent, []
            if not sent:
                return delivered
            delivered += sum(message.command_type is CommandType.TOP_UP_KWH for message in sent)
            with self.watch.step("take events in"):
                await self._all(self._answer, await self._accepted(sent))
            with self.watch.step("apply delivery events"):
                await self._work_off("DELIVERY_EVENT")

    async def _accepted(self, sent: Sequence[DeviceMessage]) -> Sequence[DeviceMessage]:
        """Look up what the network server calls the messages."""
        async with self._village.container.message_store() as store:
            return (await store.rows.lock([message.id for message in sent])).messages

    async def _answer(self, message: DeviceMessage) -> None:
        """Let the network report what it does for every confirmed downlink: radiated, then both halves of an answer."""
        apply, device = self._village.container.apply_device_event(), message.device
        remote_id, one = message.delivery_queue_id, str(uuid.uuid4())
        heard = attrs.evolve(device, relay_node=RelayNode(external_reference="a84041ffff000001", snr=7.5, rssi=-80))
        await apply(PLUGIN_ID, _radiated(device, remote_id))
        await apply(
            PLUGIN_ID, EventHalf(kind=HalfKind.UP, deduplication_id=one, device=heard, response=_response(message))
        )
        await apply(
            PLUGIN_ID,
            EventHalf(kind=HalfKind.ACK, deduplication_id=one, device=device, delivery_queue_id=remote_id),
        )

    async def _work_off(self, kind: str) -> None:
        while await self._relay.work_off(self._lanes[kind]):
            pass

    async def _all(self, work: Callable[[_T], Awaitable[_U]], items: Sequence[_T]) -> Sequence[_U]:
        async def one(item: _T) -> _U:
            async with self._gate:
                return await work(item)

        return await asyncio.gather(*(one(item) for item in items))


def _radiated(device: Device, remote_id: str) -> DeviceEvent:
    return DeviceEvent(delivery_status=DeliveryStatus.SENT_TO_DEVICE, device=device, delivery_queue_id=remote_id)


def _response(message: DeviceMessage) -> Response:
    is_token = message.command_type is CommandType.TOP_UP_KWH
    data = {"tokenAccepted": True} if is_token else {"kwhCreditAvailable": float(AMOUNT / TARIFF)}
    return Response(status=ExecutionStatus.EXECUTION_SUCCESS, data=data)
