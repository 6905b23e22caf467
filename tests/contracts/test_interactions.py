"""``Interactions``: one suite over memory and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from tests.support.meters_villages import KINDS, village
from tests.support.meters_world import MetersWorld

from nxt_domain.meters.model import (
    Interaction,
    InteractionFailure,
    InteractionStatus,
    InteractionType,
    NewInteraction,
    Origin,
    Resolution,
    VerificationState,
)

S, T = InteractionStatus, InteractionType
TOKEN = "00000100000000001234"


@pytest.fixture(params=KINDS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[MetersWorld]:
    async with village(request, request.param) as built:
        yield built


def new(world: MetersWorld, kind: InteractionType = T.READ_CREDIT, meter: int = 0, **changes: Any) -> NewInteraction:
    facts: dict[str, Any] = {
        "meter_id": world.meter_ids[meter],
        "type": kind,
        "status": S.QUEUED,
        "origin": Origin.USER,
        "priority": 30,
    }
    return NewInteraction(**(facts | changes))


def a_failure(world: MetersWorld, **changes: Any) -> InteractionFailure:
    failure = InteractionFailure(
        timestamp=world.clock.now(),
        status="SENT_TO_DEVICE",
        reason="no answer",
        error_code=17,
        details="frame 3",
        is_final=True,
        code="EXPIRED",
    )
    return attrs.evolve(failure, **changes)


async def test_everything_that_is_stored_is_read_back(world: MetersWorld) -> None:
    """[MET-23] [MET-24]"""
    order_id = await world.new_order(world.meter_ids[0])
    top_up = new(
        world,
        T.TOP_UP,
        origin=Origin.ORDER,
        priority=50,
        token=TOKEN,
        token_issued_at=world.clock.now(),
        energy_kwh=Decimal("4.4"),
        order_id=order_id,
        delivery_failures=(a_failure(world),),
        resolution=Resolution.UNREACHABLE,
        status=S.ABORTED,
        follow_up_of_id=12,
        expires_at=world.clock.now() + timedelta(hours=1),
    )
    clock_write = new(world, T.SET_DATE, payload={"year": 2026, "month": 3, "day": 10})
    limit = new(world, T.SET_POWER_LIMIT, target_power_limit_w=200)
    report = new(world, T.READ_REPORT, status=S.SUCCESSFUL, result={"freeze_time": "x", "n": Decimal("1.50")})
    stored = await world.add(top_up, clock_write, limit, report)
    assert [found.type for found in stored] == [T.TOP_UP, T.SET_DATE, T.SET_POWER_LIMIT, T.READ_REPORT]
    assert [found.id for found in stored] == sorted(found.id for found in stored)
    first, second, third, fourth = await world.interactions()
    assert first == stored[0]
    kept = {name: getattr(first, name) for name in attrs.asdict(top_up, recurse=False) if hasattr(first, name)}
    wanted = {name: value for name, value in attrs.asdict(top_up, recurse=False).items() if name in kept}
    assert kept == wanted
    assert (second.payload, third.target_power_limit_w) == ({"year": 2026, "month": 3, "day": 10}, 200)
    assert fourth.result == {"freeze_time": "x", "n": Decimal("1.50")}
    assert first.created_at == first.updated_at
    assert abs(first.created_at - world.clock.now()) < timedelta(minutes=5)


async def test_pay_113_an_order_has_one_interaction(world: MetersWorld) -> None:
    """Within one call and over calls; others are not held up, and those without order never collide."""
    one, two = [await world.new_order(world.meter_ids[0]) for _ in range(2)]

    def top_up(order_id: int | None) -> NewInteraction:
        return new(world, T.TOP_UP, order_id=order_id, energy_kwh=Decimal(1), origin=Origin.ORDER)

    first = await world.add(top_up(one), top_up(None), top_up(one))
    second = await world.add(top_up(one), top_up(two), top_up(None))
    assert [found.order_id for found in first] == [one, None]
    assert [found.order_id for found in second] == [two, None]
    async with world.begin() as tx:
        found = await tx.interactions.of_orders([one, two, 999_999])
        nothing = await tx.interactions.of_orders([])
    assert {order: interaction.id for order, interaction in found.items()} == {one: first[0].id, two: second[0].id}
    assert nothing == {}


async def test_met_25_every_request_is_a_row(world: MetersWorld) -> None:
    """[MET-109] A further request joins; what a meter says of its own accord nobody requested."""
    asked, _ = await world.add(new(world), new(world, T.READ_REPORT, status=S.SUCCESSFUL, origin=Origin.UNSOLICITED))
    async with world.begin() as tx:
        await tx.interactions.join([asked.id, asked.id], Origin.FOLLOW_UP)
        await tx.interactions.join([], Origin.FOLLOW_UP)
        await tx.commit()
    assert await world.requests() == [
        (asked.id, "USER", False),
        (asked.id, "FOLLOW_UP", True),
        (asked.id, "FOLLOW_UP", True),
    ]


async def test_met_23_changes_are_written_as_given(world: MetersWorld) -> None:
    one, two = await world.add(new(world), new(world, T.SET_POWER_LIMIT, target_power_limit_w=100))
    later = world.clock.now() + timedelta(minutes=9)
    changed: list[Interaction] = [
        attrs.evolve(
            one,
            status=S.SUCCESSFUL,
            updated_at=later,
            priority=60,
            result={"kwh_credit_available": Decimal("2.5")},
            delivery_failures=(a_failure(world), a_failure(world, timestamp=world.clock.now() - timedelta(seconds=1))),
            resolution=Resolution.DELIVERED,
            superseded_by_id=77,
            expires_at=later,
            verification_state=VerificationState.CONFIRMED,
            attempts=2,
            first_transmitted_at=later,
            token_issued_at=later,
        ),
        attrs.evolve(two, status=S.FAILED, target_power_limit_w=0, token=TOKEN, updated_at=later),
    ]
    await world.save(*changed)
    assert await world.interactions() == changed
    gone: dict[str, Any] = {"resolution": None, "result": None, "delivery_failures": (), "verification_state": None}
    cleared = attrs.evolve(changed[0], updated_at=later + timedelta(seconds=1), **gone)
    await world.save(cleared)
    await world.save()
    assert await world.interactions() == [cleared, changed[1]]


async def test_a_transaction_that_is_left_changes_nothing(world: MetersWorld) -> None:
    (stored,) = await world.add(new(world))
    async with world.begin() as tx:
        await tx.interactions.save([attrs.evolve(stored, priority=99)])
        await tx.interactions.add([new(world)])
    assert await world.interactions() == [stored]


async def test_r25_locking_is_by_ascending_id_and_leaves_out_strangers(world: MetersWorld) -> None:
    stored = await world.add(*(new(world, meter=number % 3) for number in range(4)))
    ids = [found.id for found in stored]
    async with world.begin() as tx:
        locked = await tx.interactions.lock([*reversed(ids), 999_999_999])
        meters = await tx.interactions.meters_of([*ids, 999_999_999])
        nothing = await tx.interactions.lock([]), await tx.interactions.meters_of([])
    assert list(locked) == ids
    assert list(locked.values()) == stored
    assert meters == {found.id: found.meter_id for found in stored}
    assert nothing == ({}, {})


async def test_met_51_unfinished_ones_of_some_kinds(world: MetersWorld) -> None:
    wanted = await world.add(
        *(new(world, status=status) for status in (S.QUEUED, S.SUSPENDED, S.DEFERRED)),
    )
    (processing,) = await world.add(new(world))
    await world.save(attrs.evolve(processing, status=S.PROCESSING))
    await world.add(
        *(new(world, status=status) for status in (S.SUCCESSFUL, S.FAILED, S.ABORTED)),
        new(world, T.READ_VERSION),
        new(world, meter=1),
    )
    async with world.begin() as tx:
        found = await tx.interactions.unfinished([world.meter_ids[0]], {T.READ_CREDIT, T.CLEAR_CREDIT})
        nothing = await tx.interactions.unfinished([], {T.READ_CREDIT})
    assert [interaction.id for interaction in found] == [*(one.id for one in wanted), processing.id]
    assert list(nothing) == []


async def test_met_118_suspended_ones_by_pages(world: MetersWorld) -> None:
    await world.add(new(world), new(world, status=S.DEFERRED))
    stored = await world.add(*(new(world, status=S.SUSPENDED, meter=number % 3) for number in range(5)))
    pages, after_id = [], 0
    async with world.begin() as tx:
        while page := await tx.interactions.suspended(after_id=after_id, limit=2):
            pages.append([found.id for found in page])
            after_id = page[-1].id
    ids = [found.id for found in stored]
    assert pages == [ids[:2], ids[2:4], ids[4:]]


async def test_met_116_expired_ones_by_pages(world: MetersWorld) -> None:
    """Waiting and processing ones; neither deferred, nor ended, nor those without end."""
    now = world.clock.now()
    past, future = now - timedelta(seconds=1), now + timedelta(seconds=1)
    queued, suspended, processing, *_ = await world.add(
        new(world, expires_at=now),
        new(world, status=S.SUSPENDED, expires_at=past),
        new(world, expires_at=past),
        new(world, status=S.DEFERRED, expires_at=past),
        new(world, status=S.ABORTED, expires_at=past),
        new(world, expires_at=future),
        new(world),
    )
    await world.save(attrs.evolve(processing, status=S.PROCESSING))
    async with world.begin() as tx:
        first = await tx.interactions.expired(now, after_id=0, limit=2)
        rest = await tx.interactions.expired(now, after_id=first[-1].id, limit=2)
    assert [found.id for found in (*first, *rest)] == [queued.id, suspended.id, processing.id]


async def test_met_82_the_newest_freeze_time_of_each_meter(world: MetersWorld) -> None:
    def report(meter: int, result: Any) -> NewInteraction:
        return new(world, T.READ_REPORT, meter, status=S.SUCCESSFUL, origin=Origin.UNSOLICITED, result=result)

    await world.add(report(0, {"freeze_time": "10:00"}), report(1, {"freeze_time": "09:00"}))
    await world.add(report(0, {"freeze_time": "11:00"}), new(world, result={"freeze_time": "12:00"}))
    await world.add(report(2, {"voltage": 229}))
    async with world.begin() as tx:
        newest = await tx.interactions.newest_freeze_times(world.meter_ids)
        nothing = await tx.interactions.newest_freeze_times([])
    assert newest == {world.meter_ids[0]: "11:00", world.meter_ids[1]: "09:00"}
    assert nothing == {}


class TestVerification:
    async def _seen(self, world: MetersWorld, minutes_ago: float, kind: InteractionType, **result: Any) -> None:
        (stored,) = await world.add(new(world, kind, status=S.SUCCESSFUL, result=result or None))
        await world.age(stored.id, timedelta(minutes=minutes_ago))

    async def test_met_125_observations_from_the_newest_before_the_token_on(self, world: MetersWorld) -> None:
        """Reads and reports by time; failed, empty and odd ones tell nothing."""
        await self._seen(world, 300, T.READ_CREDIT, kwh_credit_available=9)
        await self._seen(world, 200, T.READ_REPORT, purchase_remain_source_1=Decimal("8.5"), consumption_source_1=100)
        await self._seen(world, 100, T.READ_CREDIT, kwh_credit_available=Decimal("7.25"), is_on=True)
        await self._seen(world, 150, T.READ_REPORT, purchase_remain_source_1=8, consumption_source_1="odd")
        await self._seen(world, 90, T.READ_CREDIT, kwh_credit_available="odd")
        await self._seen(world, 80, T.READ_CREDIT)
        await self._seen(world, 70, T.READ_VERSION, kwh_credit_available=1)
        await world.add(new(world, status=S.FAILED, result={"kwh_credit_available": 1}))
        await world.add(new(world, meter=1, status=S.SUCCESSFUL, result={"kwh_credit_available": 1}))
        async with world.begin() as tx:
            issued_at = world.clock.now() - timedelta(minutes=180)
            seen, has_baseline = await tx.interactions.credit_observations(world.meter_ids[0], issued_at)
        assert has_baseline
        assert [(one.credit_kwh, one.counter_kwh) for one in seen] == [
            (Decimal("8.5"), Decimal(100)),
            (Decimal(8), None),
            (Decimal("7.25"), None),
        ]

    async def test_met_125_no_observation_before_the_token(self, world: MetersWorld) -> None:
        await self._seen(world, 10, T.READ_CREDIT, kwh_credit_available=9)
        async with world.begin() as tx:
            issued_at = world.clock.now() - timedelta(minutes=180)
            seen, has_baseline = await tx.interactions.credit_observations(world.meter_ids[0], issued_at)
            nothing = await tx.interactions.credit_observations(world.meter_ids[1], issued_at)
        assert ([one.credit_kwh for one in seen], has_baseline) == ([Decimal(9)], False)
        assert (list(nothing[0]), nothing[1]) == ([], False)

    async def test_met_125_other_top_ups_that_succeeded_since(self, world: MetersWorld) -> None:
        def top_up(status: InteractionStatus, kwh: str, meter: int = 0) -> NewInteraction:
            return new(world, T.TOP_UP, meter, status=status, energy_kwh=Decimal(kwh))

        this, other, old, *_ = await world.add(
            top_up(S.SUCCESSFUL, "10"),
            top_up(S.SUCCESSFUL, "2.5"),
            top_up(S.SUCCESSFUL, "3"),
            top_up(S.FAILED, "4"),
            top_up(S.SUCCESSFUL, "5", 1),
        )
        await world.age(old.id, timedelta(hours=3))
        async with world.begin() as tx:
            since = world.clock.now() - timedelta(hours=1)
            found = await tx.interactions.other_top_ups(world.meter_ids[0], since, than=this.id)
        assert [(one.energy_kwh, one.succeeded_at) for one in found] == [(Decimal("2.5"), other.updated_at)]

    async def test_met_125_credit_clears_that_may_have_acted_since(self, world: MetersWorld) -> None:
        now = world.clock.now()

        def clear(**changes: Any) -> NewInteraction:
            return new(world, T.CLEAR_CREDIT, **changes)

        under_way, done, old, never, *_ = await world.add(
            clear(), clear(), clear(), clear(), clear(meter=1), new(world, T.CLEAR_TAMPER)
        )
        sent = {"first_transmitted_at": now - timedelta(minutes=5)}
        await world.save(
            attrs.evolve(under_way, status=S.PROCESSING, **sent),
            attrs.evolve(done, status=S.FAILED, updated_at=now, **sent),
            attrs.evolve(old, status=S.SUCCESSFUL, updated_at=now - timedelta(hours=2), **sent),
            attrs.evolve(never, status=S.ABORTED),
        )
        async with world.begin() as tx:
            found = await tx.interactions.credit_clears(world.meter_ids[0], now - timedelta(hours=1))
        spans = sorted((one.earliest_at, one.latest_at) for one in found if one.latest_at is not None)
        assert spans == [(now - timedelta(minutes=5), now)]
        assert [one.earliest_at for one in found if one.latest_at is None] == [now - timedelta(minutes=5)]


async def test_interactions_are_read_without_locks(world: MetersWorld) -> None:
    """While somebody else holds them; unknown ones are left out."""
    (stored,) = await world.add(new(world))
    async with world.begin() as tx:
        assert await tx.interactions.read([stored.id, 999_999]) == {stored.id: stored}
        assert await tx.interactions.read([]) == {}


async def test_later_commands_of_a_meter_are_found(world: MetersWorld) -> None:
    """[MET-95] [MET-117] Of the kinds asked for, oldest first; not those of other meters, nor itself."""
    off, on, _, again, _ = await world.add(
        new(world, T.TURN_OFF), new(world, T.TURN_ON), new(world), new(world, T.TURN_OFF), new(world, T.TURN_ON, 1)
    )
    async with world.begin() as tx:
        found = await tx.interactions.later(off, {T.TURN_ON, T.TURN_OFF})
        assert [interaction.id for interaction in found] == [on.id, again.id]
        assert not await tx.interactions.later(again, {T.TURN_ON, T.TURN_OFF})
