"""Commands to meters behind DCUs, from the interaction to its end: the engine on PostgreSQL, simulated services.

On good days, and when a service is down, slow, forgets, repeats itself, comes late, or cuts its answers [DM-189].
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from functools import partial
from inspect import isawaitable
from typing import Any

import attrs
import pytest
from tests.support.calin_clouds import Cloud, cloud, fleet_of
from tests.support.meters_villages import PostgresVillage, postgres_village
from tests.support.meters_world import V1_NUMBER
from tests.support.top_ups import Desk

from nxt_adapters.supabase.messages import PostgresMessageStore
from nxt_domain.grids.model import CommunicationProtocol
from nxt_domain.messaging.events import delivery_event_from_payload
from nxt_domain.messaging.plugins import PluginSet
from nxt_domain.messaging.retry import RetryPolicy
from nxt_domain.messaging.tuning import DeliveryPolicy, Tuning
from nxt_domain.messaging.use_cases.changes import Workshop
from nxt_domain.meters.model import (
    Interaction,
    InteractionStatus,
    InteractionType,
    Meter,
    NewInteraction,
    Origin,
)
from nxt_domain.meters.use_cases.hand_over import hand_over
from nxt_domain.tokens.model import TokenRequest
from nxt_domain.tokens.ports import TokenVendorUnavailable
from nxt_entrypoints.jobs.message_engine import EngineSettings, MessageEngine
from nxt_entrypoints.simulators.control import utc_now

T, S = InteractionType, InteractionStatus
QUICK = Tuning(initial_poll_delay_ms=30, poll_ladder_ms=(30,), ns_in_flight_timeout_ms=2_000)
LADDER = DeliveryPolicy(retry=RetryPolicy(max_retries=50, base_delay_ms=60, max_delay_ms=90))
PACE = EngineSettings(lease=timedelta(seconds=3), tick=timedelta(milliseconds=40), patience=timedelta(seconds=5))


@attrs.define
class Town:
    """One meter behind a DCU, the engine that reaches it, and the desk that sells to it."""

    village: PostgresVillage
    service: Cloud
    engine: MessageEngine
    desk: Desk
    applied: int = 0

    async def command(self, kind: InteractionType, **facts: Any) -> int:
        """Store an interaction and hand it over, as the API does."""
        village, now = self.village, self.village.clock.now()
        values = {"origin": Origin.USER, "priority": 30, "status": S.QUEUED} | facts
        (stored,) = await village.add(NewInteraction(meter_id=village.v1_meter_id, type=kind, **values))
        meter: Meter = await village.meter(village.v1_meter_id)
        async with village.begin() as tx:
            await hand_over(tx, [(stored, meter)], now)
            await tx.commit()
        return stored.id

    async def buy(self, kwh: str = "4") -> Interaction:
        """Settle an order, and let its task have the token made and the command handed over."""
        top_up = await self.desk.buy(self.village.v1_meter_id, kwh)
        await self.desk.complete(top_up.order_id or 0)
        return await self.village.interaction(top_up.id)

    async def ended(self, interaction_id: int, within_s: float = 15) -> Interaction:
        """Apply what the engine reports until an interaction ends."""
        return await self.until(interaction_id, {S.SUCCESSFUL, S.FAILED}, within_s)

    async def until(self, interaction_id: int, wanted: set[InteractionStatus], within_s: float = 15) -> Interaction:
        async with asyncio.timeout(within_s):
            while True:
                await self.apply()
                found = await self.village.interaction(interaction_id)
                if found.status in wanted:
                    return found
                await asyncio.sleep(0.03)

    async def apply(self) -> None:
        """Do what the outbox relay does with events that came since the last time."""
        tasks = (await self.village.tasks("DELIVERY_EVENT"))[self.applied :]
        self.applied += len(tasks)
        await self.desk.apply(*(delivery_event_from_payload(task.payload) for task in tasks))

    async def wait_for(self, condition: Callable[[], Any], within_s: float = 10) -> None:
        """Look every few milliseconds."""
        async with asyncio.timeout(within_s):
            while not (await found if isawaitable(found := condition()) else found):  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.01)

    async def has_status(self, interaction_id: int, status: str) -> bool:
        return await self.delivery_status(interaction_id) == status

    async def delivery_status(self, interaction_id: int) -> str:
        async with self.village.begin() as tx:
            message = await tx.messages.get(str(interaction_id))
        return "" if message is None else str(message.delivery_status)


@asynccontextmanager
async def town(url: str, generation: str, *, tuning: Tuning = QUICK, **parts: Any) -> AsyncIterator[Town]:
    async with postgres_village(url) as village, cloud(generation, V1_NUMBER, **parts) as service:
        plugins = PluginSet.of(pull=[service.plugin], tunings={service.name: tuning})
        village.couriers = dict(plugins.couriers)
        protocol = CommunicationProtocol(f"CALIN_{generation.upper()}")
        await village.set_meter(village.v1_meter_id, communication_protocol=protocol.value)
        workshop = Workshop(
            begin=lambda: PostgresMessageStore(village.engine),
            lanes=plugins.lanes,
            policy=LADDER,
            new_id=village.new_id,
            wakeups=village.wakeups,
        )
        engine = MessageEngine(workshop, plugins, PACE)
        engine.start()
        try:
            yield Town(village, service, engine, Desk(village, {protocol: service.vendor}))
        finally:
            await engine.stop()


@pytest.fixture(params=["v1", "v2"])
async def place(request: pytest.FixtureRequest, relational_url: str) -> AsyncIterator[Town]:
    async with town(relational_url, request.param) as made:
        yield made


async def test_a_good_day(place: Town) -> None:
    """[DM-174, DM-178, DM-179, DM-185] From the interaction to the vendor's task, its poll, and the end.

    Reads are stored with their keys in snake_case, controls and the calendar take effect in the meter.
    """
    village, service = place.village, place.service
    is_v1 = service.name == "calin-api-v1"
    read = await place.ended(await place.command(T.READ_CREDIT))
    assert read.status is S.SUCCESSFUL
    assert read.result is not None
    assert read.result["kwh_credit_available"] == Decimal("108.8")
    assert read.result.get("is_on") is (True if is_v1 else None)
    off = await place.command(T.TURN_OFF)
    day = await place.command(T.SET_DATE, payload={"year": 26, "month": 8, "day": 5})
    version = await place.command(T.READ_VERSION)
    limit = await place.command(T.READ_POWER_LIMIT)
    ends = [await place.ended(number) for number in (off, day, version, limit)]
    assert [end.status for end in ends] == [S.SUCCESSFUL] * 4
    assert [end.result for end in ends[:2]] == [{"turn_off_accepted": True}, {"date_accepted": True}]
    assert ends[3].result == {"power_limit": 2000}
    meter = service.meter(V1_NUMBER)
    assert not meter["is_on"]
    assert meter["clock"].startswith("2026-08-05")
    assert (await village.reported(village.v1_meter_id))["is_on"] is False
    assert service.count("task") == 5
    assert await village.messages() == []


async def test_a_purchase(place: Town) -> None:
    """[DM-133, DM-138, DM-149] The vendor sells, the meter takes the token once, its credit is read afterwards.

    Two tokens of one minute are a minute apart in our books, whoever makes them.
    """
    village = place.village
    first = await place.buy("4")
    second = await place.buy("1.5")
    ends = [await place.ended(top_up.id) for top_up in (first, second)]
    assert [end.status for end in ends] == [S.SUCCESSFUL] * 2
    assert ends[0].result == {"token_accepted": True}
    assert place.service.meter(V1_NUMBER)["credited_kwh_total"] == Decimal("5.5")
    made = await village.tokens()
    assert [token for _, _, token in made] == [first.token, second.token]
    assert (made[1][1] - made[0][1]) == timedelta(minutes=1)
    reads = await village.of_type(T.READ_CREDIT)
    assert {one.follow_up_of_id for one in reads} <= {first.id, second.id}
    credit = (await place.ended(reads[-1].id)).result
    assert credit is not None
    assert credit["kwh_credit_available"] == Decimal("114.3")
    assert first.token not in str(await village.tasks())


@pytest.mark.nightly
async def test_bad_days(place: Town) -> None:
    """[DM-4, DM-49, DM-189] Whatever happens to calls and tasks: each command ends once, and has one effect."""
    service = place.service

    # Away while the command is created: the attempts fail, and one of them arrives in the end.
    service.faults(down=True)
    read = await place.command(T.READ_CREDIT)
    await place.wait_for(partial(place.has_status, read, "TO_RETRY"))
    assert service.count("task") == 0
    service.faults(down=False)
    done = await place.ended(read)
    assert done.status is S.SUCCESSFUL
    away = {"calin-api-v1": "[CALIN API-V1] is down", "calin-api-v2": "CALIN API-V2 failed to get a token"}
    assert {failure.reason for failure in done.delivery_failures} == {away[service.name]}

    # Away while the task is asked about: no evidence, so the command is not sent again.
    service.mood(tasks="late", late_s=0.3)
    made = service.count("task")
    off = await place.command(T.TURN_OFF)
    await place.until(off, {S.PROCESSING})
    await place.wait_for(partial(place.has_status, off, "DELIVERED_TO_NS"))
    service.faults(down=True)
    await asyncio.sleep(0.5)
    assert await place.delivery_status(off) == "DELIVERED_TO_NS"
    service.faults(down=False)
    done = await place.ended(off)
    assert (done.status, done.delivery_failures) == (S.SUCCESSFUL, ())
    assert service.count("task") == made + 1

    # Late: asked again and again, and not sent again.
    polls = service.count("poll")
    on = await place.command(T.TURN_ON)
    assert (await place.ended(on)).status is S.SUCCESSFUL
    assert service.count("task") == made + 2
    assert service.count("poll") - polls >= 3

    # Accepted, never done, unknown afterwards: made again, under a new number.
    service.mood(tasks="forgotten")
    off = await place.command(T.TURN_OFF)
    await place.wait_for(lambda: service.count("task") >= made + 3)
    service.mood()
    assert (await place.ended(off)).status is S.SUCCESSFUL
    assert service.count("task") >= made + 4
    assert not service.meter(V1_NUMBER)["is_on"]

    # Pages in place of answers, also to polls: the same as an outage.
    service.mood(answers="page_503")
    read = await place.command(T.READ_CREDIT)
    await place.wait_for(partial(place.has_status, read, "TO_RETRY"))
    service.mood()
    assert (await place.ended(read)).status is S.SUCCESSFUL
    assert await place.village.messages() == []


@attrs.frozen
class LastWords:
    """A vendor whose service is heard for the last time when it tells a token."""

    service: Cloud
    needs_decoder_key: bool = False

    async def request(self, request: TokenRequest) -> str:
        token: str = await self.service.vendor.request(request)
        self.service.mood(answers="reset")
        return token


async def test_a_top_up_whose_answers_get_lost(place: Town) -> None:
    """[DM-4, DM-133, DM-189] It may reach the meter twice, and counts once; the first answer that is heard ends it."""
    service = place.service
    desk = attrs.evolve(place.desk, makers=dict.fromkeys(place.desk.makers, LastWords(service)))
    top_up = await desk.buy(place.village.v1_meter_id, "4")
    await desk.complete(top_up.order_id or 0)
    await place.wait_for(partial(place.has_status, top_up.id, "TO_RETRY"))
    service.mood()
    await place.ended(top_up.id)
    meter = service.meter(V1_NUMBER)
    assert meter["credited_kwh_total"] == 4
    assert meter["tokens_accepted"] == 1


async def test_a_rejected_token_is_not_tried_again(place: Town) -> None:
    """[DM-115, DM-117, DM-129, R49] The vendor's words are kept without the digits."""
    service, village = place.service, place.village
    token = (await place.buy("4")).token or ""
    await place.wait_for(lambda: service.meter(V1_NUMBER)["tokens_accepted"])
    again = await place.command(T.DELIVER_PREEXISTING_TOKEN, token=token)
    refused = await place.ended(again)
    assert refused.status is S.FAILED
    (failure,) = refused.delivery_failures
    assert failure.is_final
    assert "possibly already delivered" in failure.reason
    assert service.meter(V1_NUMBER)["credited_kwh_total"] == 4
    stored = [*await village.tasks(), *village.all("select * from messaging.message_archive")]
    assert token not in str(stored)


async def test_a_vendor_of_tokens_that_is_away(place: Town) -> None:
    """[DM-139, DM-189, MET-75, R2] A top-up waits for it; one that may be booked ends, and is never sold again."""
    service, desk = place.service, place.desk
    service.faults(down=True)
    waiting = await desk.buy(place.village.v1_meter_id, "2")
    with pytest.raises(TokenVendorUnavailable):
        await desk.complete(waiting.order_id or 0)
    assert (await place.village.interaction(waiting.id)).status is S.QUEUED
    service.faults(down=False)
    await desk.complete(waiting.order_id or 0)
    assert (await place.ended(waiting.id)).status is S.SUCCESSFUL

    service.mood(answers="reset")
    lost = await desk.buy(place.village.v1_meter_id, "3")
    for _ in range(2):
        await desk.complete(lost.order_id or 0)
    service.mood()
    failed = await place.village.interaction(lost.id)
    assert (failed.status, failed.token) == (S.FAILED, None)
    (record,) = failed.delivery_failures
    assert record.reason.startswith("Failed to generate token because ")
    assert (record.status, record.details, record.is_final) == ("QUEUED", "outcome unknown", True)
    assert len(service.simulator.machine.made) == 2
    assert await place.delivery_status(lost.id) == ""
    assert service.meter(V1_NUMBER)["credited_kwh_total"] == 2


@pytest.mark.nightly
@pytest.mark.parametrize("generation", ["v1", "v2"])
async def test_a_slow_vendor_is_asked_once(relational_url: str, generation: str) -> None:
    """[DM-44, DM-189] Slower than the wait for it, as long as its process lives; and while it is polled."""
    patience = attrs.evolve(QUICK, ns_in_flight_timeout_ms=300)
    async with town(relational_url, generation, tuning=patience, timeout_s=10) as place:
        place.service.faults(latency_ms=[700, 900])
        read = await place.command(T.READ_CREDIT)
        done = await place.ended(read)
        assert (done.status, done.delivery_failures) == (S.SUCCESSFUL, ())
        assert place.service.count("task") == 1


async def test_a_login_that_is_taken_away(relational_url: str) -> None:
    """[DM-123, DM-189] Between creation and poll: a new one is made, and nothing else is noticed."""
    ahead = [timedelta()]
    async with town(relational_url, "v2", task_s=60, clock=lambda: utc_now() + ahead[0]) as place:
        off = await place.command(T.TURN_OFF)
        await place.until(off, {S.PROCESSING})
        place.service.simulator.accounts.revoke()  # type: ignore[union-attr]  # it is the second generation
        ahead[0] = timedelta(minutes=1)
        done = await place.ended(off)
        assert (done.status, done.delivery_failures) == (S.SUCCESSFUL, ())
        assert place.service.count("task") == 1
        assert place.service.count("login") >= 2


@pytest.mark.parametrize(("generation", "tasks"), [("v1", 3), ("v2", 1)])
async def test_three_phases(relational_url: str, generation: str, tasks: int) -> None:
    """[DM-112, DM-180, MET-47] Three tasks of the first generation, one result; the second has one task."""
    fleet = fleet_of(f"CALIN_{generation.upper()}", V1_NUMBER, phase="THREE_PHASE")
    async with town(relational_url, generation, fleet=fleet) as place:
        await place.village.set_meter(place.village.v1_meter_id, phase="THREE_PHASE")
        done = await place.ended(await place.command(T.READ_VOLTAGE))
        assert done.status is S.SUCCESSFUL
        assert done.result is not None
        assert set(done.result) == ({"voltage", "phase"} if generation == "v1" else {"voltage"})
        assert place.service.count("task") == tasks
