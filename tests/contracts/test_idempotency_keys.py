"""``IdempotencyKeys``, and the transactions that mark them: one suite over memory and PostgreSQL [REL-155]."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from tests.support.meters_villages import KINDS, MemoryVillage, PostgresVillage, village
from tests.support.meters_world import MetersWorld

from nxt_adapters.memory.idempotency import MemoryIdempotencyKeys
from nxt_adapters.supabase.idempotency import PostgresIdempotencyKeys
from nxt_domain.shared.errors import Conflict
from nxt_domain.shared.idempotency import (
    LOCK,
    Answer,
    Claim,
    IdempotencyKeys,
    KeyedRequest,
    KeyRecord,
    keyed_request,
    stored_answer,
    working_on,
)
from nxt_domain.shared.outbox import OutboxTask

MADE = Answer(status=201, body={"id": 5, "price": Decimal("1000.50"), "names": ["a", None]})


def purchase(key: str = "k-1", body: bytes = b'{"amount":5}', path: str = "/orders") -> KeyedRequest:
    return keyed_request(scope="account:7", key=key, method="POST", path=path, body=body)


class World:
    """A store of keys, whose time passes when told, and the transactions over it."""

    def __init__(self, store: MetersWorld) -> None:
        self.store = store
        self.begin: Any = store.begin
        self.keys: IdempotencyKeys = (
            MemoryIdempotencyKeys(store.plane.database)
            if isinstance(store, MemoryVillage)
            else PostgresIdempotencyKeys(store.engine)  # type: ignore[attr-defined]  # the other kind of village
        )

    async def claim(self, request: KeyedRequest) -> Claim:
        found = await self.keys.claim(request)
        assert isinstance(found, Claim)
        return found

    async def record(self, request: KeyedRequest) -> KeyRecord:
        found = await self.keys.claim(request)
        assert isinstance(found, KeyRecord)
        return found

    async def pass_time(self, step: timedelta) -> None:
        if isinstance(self.store, MemoryVillage):
            self.store.clock.advance(step)
        elif isinstance(self.store, PostgresVillage):
            self.store.run(
                "update internal.idempotency_keys set locked_until = locked_until - %s, expires_at = expires_at - %s",
                step,
                step,
            )

    async def work(self, name: str) -> None:
        async with self.begin() as tx:
            await tx.outbox.add([OutboxTask(kind="HOOK", dedupe_key=name, payload={})])
            await tx.commit()

    async def done(self, name: str) -> bool:
        if isinstance(self.store, MemoryVillage):
            return name in self.store.plane.database.table("outbox_tasks")
        assert isinstance(self.store, PostgresVillage)
        return bool(self.store.all("select id from internal.outbox_tasks where dedupe_key = %s", name))


@pytest.fixture(params=KINDS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with village(request, request.param) as built:
        yield World(built)


async def test_the_first_answer_is_kept_exactly(world: World) -> None:
    """[REL-155] Also an empty one, which is no missing one."""
    await world.keys.complete(await world.claim(purchase()), MADE)
    assert stored_answer(await world.record(purchase()), purchase()) == MADE
    nothing = purchase("k-2")
    await world.keys.complete(await world.claim(nothing), Answer(status=200, body=None))
    assert stored_answer(await world.record(nothing), nothing) == Answer(status=200, body=None)


@pytest.mark.parametrize("other", [{"body": b'{"amount":6}'}, {"path": "/payouts"}])
@pytest.mark.parametrize("is_answered", [True, False])
async def test_a_key_names_one_request(world: World, other: dict[str, Any], is_answered: bool) -> None:
    """[REL-155] Another body or route under the same key: 409, whether the first is done or not."""
    claim = await world.claim(purchase())
    if is_answered:
        await world.keys.complete(claim, MADE)
    with pytest.raises(Conflict, match="was used for another request"):
        stored_answer(await world.record(purchase(**other)), purchase(**other))
    await world.pass_time(2 * LOCK)
    assert (await world.record(purchase(**other))).request == purchase()


async def test_keys_of_others_are_others(world: World) -> None:
    await world.claim(purchase())
    await world.claim(attrs.evolve(purchase(), scope="key:7"))
    await world.claim(purchase("K-1"))


async def test_a_request_under_way_is_not_begun_again(world: World) -> None:
    """[REL-155]"""
    await world.claim(purchase())
    with pytest.raises(Conflict, match="is being carried out") as refused:
        stored_answer(await world.record(purchase()), purchase())
    assert refused.value.code == "IDEMPOTENCY_IN_PROGRESS"


async def test_of_many_at_once_one_gets_the_claim(world: World) -> None:
    """[REL-155]"""
    found = await asyncio.gather(*(world.keys.claim(purchase()) for _ in range(12)))
    assert sum(isinstance(each, Claim) for each in found) == 1


async def test_work_that_failed_frees_its_key(world: World) -> None:
    await world.keys.release(await world.claim(purchase()))
    await world.claim(purchase(body=b"{}"))


async def test_work_that_vanished_without_a_commit_may_be_repeated(world: World) -> None:
    """[REL-155] A crash before the first commit: after the lock lapses the repeat is the first."""
    gone = await world.claim(purchase())
    await world.pass_time(LOCK - timedelta(seconds=5))
    await world.record(purchase())
    await world.pass_time(timedelta(seconds=6))
    again = await world.claim(purchase())
    await world.keys.complete(gone, Answer(status=500, body="late"))
    await world.keys.release(gone)
    assert (await world.record(purchase())).answer is None
    await world.keys.complete(again, MADE)
    assert (await world.record(purchase())).answer == MADE


async def test_work_that_was_committed_is_never_repeated(world: World) -> None:
    """[REL-155] A crash between commit and answer: the repeat is told so, for as long as the key is kept."""
    claim = await world.claim(purchase())
    with working_on(claim):
        await world.work("paid")
    await world.keys.release(claim)
    await world.pass_time(2 * LOCK)
    with pytest.raises(Conflict) as refused:
        stored_answer(await world.record(purchase()), purchase())
    assert refused.value.code == "IDEMPOTENCY_ANSWER_LOST"
    await world.pass_time(timedelta(days=7))
    await world.claim(purchase(body=b"{}"))


async def test_late_work_of_a_lapsed_claim_can_not_commit(world: World) -> None:
    """[REL-155] Two processes, one key: whoever lost the claim changes nothing."""
    slow = await world.claim(purchase())
    await world.pass_time(2 * LOCK)
    quick = await world.claim(purchase())
    with working_on(quick):
        await world.work("quick")
    with working_on(slow), pytest.raises(Conflict) as refused:
        await world.work("slow")
    assert refused.value.code == "IDEMPOTENCY_CLAIM_LOST"
    assert [await world.done("quick"), await world.done("slow")] == [True, False]


async def test_work_of_several_transactions_belongs_to_one_claim(world: World) -> None:
    claim = await world.claim(purchase())
    with working_on(claim):
        await world.work("first")
        await world.work("second")
    await world.keys.complete(claim, MADE)
    assert (await world.record(purchase())).answer == MADE
    assert await world.done("second")


async def test_a_transaction_that_is_rolled_back_marks_nothing(world: World) -> None:
    claim = await world.claim(purchase())
    with working_on(claim):
        async with world.begin() as tx:
            await tx.outbox.add([OutboxTask(kind="HOOK", dedupe_key="never", payload={})])
    await world.keys.release(claim)
    await world.claim(purchase())


async def test_a_task_that_outlives_the_work_works_for_itself(world: World) -> None:
    """[API-38] What follows in the background neither marks the key nor fails with it."""
    claim = await world.claim(purchase())
    go_on = asyncio.Event()

    async def background() -> None:
        await go_on.wait()
        await world.work("later")

    with working_on(claim):
        task = asyncio.create_task(background())
        await asyncio.sleep(0)
    await world.keys.release(claim)
    go_on.set()
    await task
    assert await world.done("later")
    await world.claim(purchase())
