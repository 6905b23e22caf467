"""An engine that dies at any moment of its talk with the database: before, under, after each statement and commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from tests.support.cuts import Cuts
from tests.support.ledger import connect
from tests.support.messaging_process import Engine, answer, news
from tests.support.messaging_worlds import PostgresWorld, push_message

from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.messages import PostgresMessageStore
from nxt_domain.messaging.model import DeliveryStatus, DeviceMessage
from nxt_domain.messaging.stages import Stage
from nxt_domain.shared.errors import Unavailable

LAPSE = timedelta(seconds=61)
MESSAGES = 2
MOST_ROUNDS = 12


class Radio:
    """A network server that remembers what it accepted, and meters that answer when they are let.

    Attributes:
        accepted: How often each message was handed over.
        queue: Remote ids by message, as a look into the queue shows them.
    """

    def __init__(self, world: PostgresWorld) -> None:
        self.accepted: Counter[str] = Counter()
        self.queue: dict[str, str] = {}
        world.push.on_send = self.send
        world.push.adoptable = self.queue

    async def send(self, message: DeviceMessage) -> str:
        self.accepted[message.id] += 1
        self.queue[message.id] = f"r-{message.id}-{self.accepted[message.id]}"
        return self.queue[message.id]

    async def answer(self, engine: Engine) -> None:
        for remote_id in list(self.queue.values()):
            await engine.apply("stub-push", news(DeliveryStatus.SENT_TO_DEVICE, remote_id))
            await engine.apply("stub-push", answer(remote_id))


class CutStore(PostgresMessageStore):
    """Whose commits may become durable without anybody hearing of it."""

    def __init__(self, world: CutWorld) -> None:
        super().__init__(world.engine, world.metrics)
        self._cuts = world.cuts

    async def commit(self) -> None:
        await super().commit()
        self._cuts.committed()


class CutWorld(PostgresWorld):
    """The queue on a server that cuts sessions off."""

    cuts: Cuts

    def begin(self) -> CutStore:
        return CutStore(self)


@pytest.fixture
async def world(relational_url: str) -> AsyncIterator[CutWorld]:
    engine = create_engine(relational_url, pool_size=4)
    made = CutWorld(engine)
    made.cuts = Cuts(engine, lambda _: None)
    yield made
    await engine.dispose()


async def lives(world: PostgresWorld, radio: Radio) -> None:
    """One engine from the claim to the last answer, or to its end."""
    engine = Engine(world, "engine-that-dies")
    try:
        await engine.dispatch.run_pass()
        await engine.dispatch.drain(timedelta(milliseconds=200))
        await radio.answer(engine)
    except Unavailable:
        pass  # it is dead; what it had begun is cut off with it
    finally:
        await engine.dispatch.drain(timedelta(0))


async def takes_over(world: PostgresWorld, radio: Radio) -> None:
    """Another engine, until nothing is left."""
    engine = Engine(world, "engine-that-lives")
    for _ in range(MOST_ROUNDS):
        if not await world.live():
            return
        await world.pass_time(LAPSE)
        for stage in Stage:
            await engine.tick.run(stage)
        await engine.send()
        await radio.answer(engine)
    raise AssertionError(f"left: {await world.live()}")


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.nightly), 9])
async def test_no_moment_loses_or_repeats_a_command(world: CutWorld, relational_url: str, step: int) -> None:
    """[DM-4] [DM-16] [DM-17] [DM-19] [DM-189] Accepted once, ended once, told once, wherever the engine was cut off."""
    with connect(relational_url, role=None) as owner:
        world.cuts = Cuts(world.engine, lambda pid: owner.execute("select pg_terminate_backend(%s, 5000)", [pid]))
        moments = await cut_at(world, 0)
        assert moments > 20
        for moment in range(1, moments + 1, step):
            await cut_at(world, moment)
            assert world.cuts.made == 1, f"nothing was cut off at moment {moment}"


async def cut_at(world: CutWorld, moment: int) -> int:
    """Let an engine die at a moment of its talk and another take over; return how many moments the first one had."""
    radio = Radio(world)
    names = [f"{moment}0{number}" for number in range(MESSAGES)]
    async with world.adopter() as queue:
        ids = await queue.enqueue([push_message(int(name), correlation_id=name) for name in names])
    with world.cuts.planned([moment]):
        await lives(world, radio)
    moments = world.cuts.moments
    await takes_over(world, radio)
    assert radio.accepted == dict.fromkeys(ids, 1), f"cut off at moment {moment}"
    told = [body["message"] for body in await world.events()]
    ends = Counter((each["correlationId"], each["deliveryStatus"]) for each in told if each["correlationId"] in names)
    assert ends == {(name, status): 1 for name in names for status in ("SENT_TO_NS", "DELIVERY_SUCCESSFUL")}
    return moments
