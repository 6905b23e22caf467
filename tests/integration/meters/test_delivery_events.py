"""What the delivery layer reports becomes the state of interactions and meters."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import attrs
import pytest
from tests.support.meters_world import (
    DELETED_NUMBER,
    EUI,
    NUMBER_WITHOUT_GRID,
    NUMBERS,
    OTHER_EUI,
    MetersWorld,
)
from tests.support.top_ups import Desk

from nxt_domain.messaging.model import CommandType, DeliveryStatus, Phase, RelayNode
from nxt_domain.meters.model import (
    InteractionStatus,
    InteractionType,
    NewInteraction,
    Origin,
    Resolution,
)
from nxt_domain.shared.clock import iso_millis
from nxt_domain.shared.json import JsonObject, canonical

QUEUED, PROCESSING = InteractionStatus.QUEUED, InteractionStatus.PROCESSING
SUCCESSFUL, FAILED, ABORTED = InteractionStatus.SUCCESSFUL, InteractionStatus.FAILED, InteractionStatus.ABORTED
READ_CREDIT, READ_REPORT = InteractionType.READ_CREDIT, InteractionType.READ_REPORT


def read(meter_id: int, kind: InteractionType = READ_CREDIT, **changes: object) -> NewInteraction:
    facts: dict[str, object] = {
        "meter_id": meter_id,
        "type": kind,
        "status": QUEUED,
        "origin": Origin.USER,
        "priority": 30,
    }
    return NewInteraction(**(facts | changes))  # type: ignore[arg-type]  # by name


def _as_sent(result: JsonObject | None) -> object:
    """As JSON over the wire: stores may keep numbers exactly, or not."""
    return json.loads(canonical(result))


class TestOutcomes:
    async def test_met_79_from_hand_over_to_success(self, world: MetersWorld) -> None:
        """[MET-54] [DM-178] [DM-185] Every change of status is told; [DM-179] the answer is stored in snake case."""
        desk = Desk(world)
        top_up = await desk.buy()
        begun = world.clock.now()
        await desk.apply(world.handed_on(top_up.id))
        world.clock.advance(timedelta(seconds=5))
        await desk.apply(world.succeeded(top_up.id, {"tokenAccepted": True}))
        done = await world.interaction(top_up.id)
        assert (done.status, done.resolution) == (SUCCESSFUL, Resolution.DELIVERED)
        assert done.first_transmitted_at == begun
        assert done.result == {"token_accepted": True}
        assert done.updated_at == world.clock.now()
        assert await desk.news_of(top_up.id) == [
            ("CREATE", "QUEUED"),
            ("UPDATE", "PROCESSING"),
            ("UPDATE", "SUCCESSFUL"),
        ]
        assert (await world.reported(world.meter_ids[0]))["last_seen_at"] == world.clock.now()

    async def test_met_53_the_same_outcome_twice_changes_nothing(self, world: MetersWorld) -> None:
        desk = Desk(world)
        top_up = await desk.buy()
        event = world.succeeded(top_up.id, {"tokenAccepted": True})
        await desk.apply(event)
        before = await world.interactions(), await world.tasks(), await desk.waiting_messages(), await world.history()
        world.clock.advance(timedelta(minutes=1))
        await desk.apply(event)
        await desk.apply(event, event)
        assert (
            await world.interactions(),
            await world.tasks(),
            await desk.waiting_messages(),
            await world.history(),
        ) == before

    async def test_dm_178_late_news_of_the_way_do_not_reopen_an_end(self, world: MetersWorld) -> None:
        """[DM-178] Neither a success nor a failure becomes PROCESSING again."""
        desk = Desk(world)
        top_up = await desk.buy()
        await desk.apply(world.succeeded(top_up.id))
        await desk.apply(world.handed_on(top_up.id))
        await desk.apply(world.refused(top_up.id))
        assert (await world.interaction(top_up.id)).status is SUCCESSFUL
        refused = await desk.buy()
        await desk.apply(world.refused(refused.id))
        await desk.apply(world.handed_on(refused.id))
        assert (await world.interaction(refused.id)).status is FAILED

    async def test_several_events_of_one_interaction_in_one_call_keep_their_order(self, world: MetersWorld) -> None:
        desk = Desk(world)
        top_up = await desk.buy()
        await desk.apply(world.handed_on(top_up.id), world.succeeded(top_up.id))
        done = await world.interaction(top_up.id)
        assert done.status is SUCCESSFUL
        assert done.first_transmitted_at is not None
        assert (await desk.news_of(top_up.id))[1:] == [("UPDATE", "PROCESSING"), ("UPDATE", "SUCCESSFUL")]

    async def test_met_53_a_late_success_mends_a_failure_and_runs_the_after_effects(self, world: MetersWorld) -> None:
        desk = Desk(world)
        top_up = await desk.buy()
        await desk.apply(world.refused(top_up.id))
        assert (await world.interaction(top_up.id)).status is FAILED
        await desk.apply(world.succeeded(top_up.id))
        assert (await world.interaction(top_up.id)).status is SUCCESSFUL
        assert len(await world.of_type(READ_CREDIT)) == 1
        assert ("LATE_RESULT", "DEVICE", top_up.id) in await world.history()

    async def test_three_phases_make_one_answer(self, world: MetersWorld) -> None:
        """[MET-81] [REL-54] [DM-180] Stored phase by phase; dashboards and the meter's row hear of the whole."""
        desk, meter_id = Desk(world), world.meter_ids[0]
        (asked,) = await world.add(read(meter_id, InteractionType.READ_VOLTAGE))
        await desk.apply(world.handed_on(asked.id))
        for phase, voltage in (("B", 229.5), ("A", 220.1)):
            await desk.apply(world.succeeded(asked.id, {"voltage": voltage, "phase": phase}, phase=Phase(phase)))
        assert (await world.interaction(asked.id)).status is PROCESSING
        assert (await world.reported(meter_id))["voltage"] is None
        last = world.succeeded(asked.id, {"voltage": 225.4, "phase": "C"}, phase=Phase.C)
        await desk.apply(last)
        await desk.apply(last)
        done = await world.interaction(asked.id)
        assert done.status is SUCCESSFUL
        assert _as_sent(done.result) == {"voltage": 225.0, "phase": {"A": 220.1, "B": 229.5, "C": 225.4}}
        assert (await world.reported(meter_id))["voltage"] == 225.0
        assert [status for _, status in await desk.news_of(asked.id)] == ["PROCESSING", "SUCCESSFUL"]

    async def test_the_power_of_three_phases_is_their_sum(self, world: MetersWorld) -> None:
        """[MET-81] [REL-54] In kW on the meter's row."""
        desk, meter_id = Desk(world), world.meter_ids[0]
        (asked,) = await world.add(read(meter_id, InteractionType.READ_POWER))
        events = [world.succeeded(asked.id, {"power": 100.25}, phase=phase) for phase in Phase]
        await desk.apply(*events)
        assert _as_sent((await world.interaction(asked.id)).result) == {
            "power": 300.8,
            "phase": dict.fromkeys("ABC", 100.25),
        }
        assert (await world.reported(meter_id))["power"] == pytest.approx(0.3008)

    async def test_met_53_a_success_of_an_aborted_command_still_tells_of_the_meter(self, world: MetersWorld) -> None:
        meter_id = world.meter_ids[0]
        (off,) = await world.add(read(meter_id, InteractionType.TURN_OFF))
        await world.save(off.moved_to(ABORTED, resolution=Resolution.CANCELLED))
        await Desk(world).apply(world.succeeded(off.id, command=CommandType.TURN_OFF))
        assert (await world.interaction(off.id)).status is ABORTED
        told = await world.reported(meter_id)
        assert (told["is_on"], told["last_seen_at"]) == (False, world.clock.now())
        assert ("LATE_RESULT", "DEVICE", off.id) in await world.history()

    async def test_news_of_a_suspended_command_change_nothing_but_what_the_meter_did(self, world: MetersWorld) -> None:
        """[MET-52] No step leads from there; an event that can't be applied would block its stream for ever."""
        meter_id = world.meter_ids[0]
        (on,) = await world.add(read(meter_id, InteractionType.TURN_ON, status=InteractionStatus.SUSPENDED))
        desk = Desk(world)
        await desk.apply(world.handed_on(on.id), world.undelivered(on.id, last=DeliveryStatus.SENT_TO_DEVICE))
        await desk.apply(world.succeeded(on.id, command=CommandType.TURN_ON))
        assert (await world.interaction(on.id)).status is InteractionStatus.SUSPENDED
        assert (await world.reported(meter_id))["is_on"] is True

    async def test_met_79_refused_and_undelivered_are_told_apart(self, world: MetersWorld) -> None:
        """[MET-24] [DM-178] The message's failures stand in front of those already there."""
        meter_id = world.meter_ids[0]
        first, second = await world.add(read(meter_id), read(meter_id))
        await Desk(world).apply(
            world.refused(first.id, after=[DeliveryStatus.SENT_TO_DEVICE], command=CommandType.READ_CREDIT),
            world.undelivered(second.id, last=DeliveryStatus.SENT_TO_DEVICE, command=CommandType.READ_CREDIT),
        )
        refused, undelivered = await world.interaction(first.id), await world.interaction(second.id)
        assert (refused.status, refused.resolution) == (FAILED, Resolution.REJECTED)
        assert [record.status for record in refused.delivery_failures] == ["DELIVERY_SUCCESSFUL", "SENT_TO_DEVICE"]
        assert (undelivered.status, undelivered.resolution) == (FAILED, Resolution.DELIVERY_FAILED)
        assert undelivered.delivery_failures[0].is_final

    async def test_strangers_are_left_out(self, world: MetersWorld) -> None:
        """Interactions and correlation ids that are none of ours stop nothing."""
        desk = Desk(world)
        top_up = await desk.buy()
        stranger = world.event(None, DeliveryStatus.DELIVERY_SUCCESSFUL)
        odd = world.handed_on(99_999_999)
        named = attrs.evolve(world.handed_on(top_up.id), correlation_id="order-7")
        await desk.apply(stranger, odd, named, world.handed_on(top_up.id))
        assert (await world.interaction(top_up.id)).status is PROCESSING


class TestObservations:
    async def test_met_83_a_read_of_the_credit_is_written_to_the_meter(self, world: MetersWorld) -> None:
        """[MET-91] 12.345 kWh at 250 → 3086.25."""
        meter_id = world.meter_ids[0]
        (asked,) = await world.add(read(meter_id))
        data = {"kwhCreditAvailable": Decimal("12.345"), "isOn": True}
        await Desk(world).apply(world.succeeded(asked.id, data, command=CommandType.READ_CREDIT))
        told = await world.reported(meter_id)
        assert told["kwh_credit_available"] == Decimal("12.345")
        assert told["balance"] == Decimal("3086.25")
        assert told["is_on"] is True
        assert told["last_seen_at"] == told["kwh_credit_available_updated_at"] == world.clock.now()
        assert await world.shadows(meter_id) == {"relay": (1, asked.id)}

    async def test_met_83_the_time_of_an_observation_is_that_of_its_event(self, world: MetersWorld) -> None:
        """Events handled out of order: the older answer does not overwrite the newer one."""
        meter_id, now = world.meter_ids[0], world.clock.now()
        older, newer = await world.add(read(meter_id), read(meter_id))
        desk = Desk(world)
        credit = CommandType.READ_CREDIT
        await desk.apply(world.succeeded(newer.id, {"kwhCreditAvailable": 4}, command=credit, at=now))
        late = now - timedelta(minutes=3)
        await desk.apply(world.succeeded(older.id, {"kwhCreditAvailable": 9}, command=credit, at=late))
        assert (await world.reported(meter_id))["kwh_credit_available"] == Decimal(4)
        assert (await world.interaction(older.id)).status is SUCCESSFUL

    async def test_dm_181_the_gateway_that_heard_the_meter_becomes_its_gateway(self, world: MetersWorld) -> None:
        """[MET-44] [DM-181] EUIs are compared without case."""
        meter_id = world.meter_ids[0]
        desk = Desk(world)
        top_up = await desk.buy(meter_id)
        node = RelayNode(external_reference=OTHER_EUI.lower(), snr=6.2, rssi=-97.0)
        unknown = await desk.apply(world.succeeded(top_up.id, heard_by=node))
        told = await world.reported(meter_id)
        assert (told["dcu_id"], told["snr"], told["rssi"]) == (world.gateway_ids[1], 6.2, -97.0)
        assert (await world.meter(meter_id)).dcu_external_reference == OTHER_EUI
        assert unknown.gateways == set()

    async def test_dm_181_an_unknown_gateway_is_told_and_changes_only_the_signal(self, world: MetersWorld) -> None:
        """[DM-181]"""
        meter_id = world.meter_ids[0]
        desk = Desk(world)
        top_up = await desk.buy(meter_id)
        node = RelayNode(external_reference="A84041FFFF2FFFFF", snr=1.0, rssi=-120.0)
        unknown = await desk.apply(world.refused(top_up.id, heard_by=node))
        told = await world.reported(meter_id)
        assert (told["dcu_id"], told["snr"]) == (world.gateway_ids[0], 1.0)
        assert unknown.gateways == {"a84041ffff2fffff"}

    async def test_news_before_any_uplink_tell_nothing_of_the_radio(self, world: MetersWorld) -> None:
        """The hand-over event names the gateway that the command was meant for; nobody heard anything yet."""
        desk = Desk(world)
        top_up = await desk.buy()
        await desk.apply(world.handed_on(top_up.id, heard_by=RelayNode(id=1, external_reference=EUI)))
        assert (await world.reported(world.meter_ids[0]))["snr"] is None


class TestReports:
    async def test_met_82_a_report_is_stored_and_passed_on(self, world: MetersWorld) -> None:
        """[REL-51] [MET-85] [R36] [DM-182] Counter, credit and freeze time; [MET-93] no socket event."""
        meter_id = world.meter_ids[0]
        unknown = await Desk(world).apply(world.report(meterStatus={"relayOpen": True}))
        (stored,) = await world.of_type(READ_REPORT)
        assert (stored.status, stored.origin, stored.resolution) == (
            SUCCESSFUL,
            Origin.UNSOLICITED,
            Resolution.DELIVERED,
        )
        told = await world.reported(meter_id)
        assert (told["kwh_credit_available"], told["balance"]) == (Decimal("12.345"), Decimal("3086.25"))
        assert (told["is_on"], told["last_seen_at"]) == (False, world.clock.now())
        (task,) = await world.tasks()
        assert task.kind == "HOURLY_REPORT"
        assert dict(task.payload) == {
            "meter_id": meter_id,
            "created_at": iso_millis(world.clock.now()),
            "counter_kwh": Decimal("100.5"),
            "kwh_credit_available": Decimal("12.345"),
            "freeze_time": "2026-03-10 10:00",
        }
        assert await world.requests() == []  # nobody asked
        assert unknown.meters == set()

    async def test_met_82_the_same_freeze_time_is_the_same_report(self, world: MetersWorld) -> None:
        """[REL-57] [DM-182] Twice in one call, and again later; the next hour's is another one."""
        desk = Desk(world)
        await desk.apply(world.report(), world.report())
        await desk.apply(world.report())
        assert len(await world.of_type(READ_REPORT)) == 1
        await desk.apply(world.report(freeze_time="2026-03-10 11:00"), world.report(NUMBERS[1]))
        assert len(await world.of_type(READ_REPORT)) == 3

    async def test_met_82_unknown_and_deleted_meters_are_only_told(self, world: MetersWorld) -> None:
        """[DM-182]"""
        unknown = await Desk(world).apply(world.report("47001999999"), world.report(DELETED_NUMBER))
        assert unknown.meters == {"47001999999", DELETED_NUMBER}
        assert await world.interactions() == []

    async def test_met_82_a_join_is_neither_stored_nor_a_sign_of_life(self, world: MetersWorld) -> None:
        """[REL-57] [DM-182]"""
        before = await world.reported(world.meter_ids[0])
        join = attrs.evolve(world.report(), command_type=CommandType.JOIN_NETWORK)
        world.clock.advance(timedelta(minutes=1))
        unknown = await Desk(world).apply(join)
        assert await world.interactions() == []
        assert await world.reported(world.meter_ids[0]) == before
        assert unknown.meters == set()

    async def test_met_91_a_meter_without_connection_has_credit_and_no_balance(self, world: MetersWorld) -> None:
        await Desk(world).apply(world.report(NUMBER_WITHOUT_GRID))
        told = await world.reported(world.loose_meter_id)
        assert (told["kwh_credit_available"], told["balance"]) == (Decimal("12.345"), None)


class TestFollowUps:
    async def test_met_84_a_success_is_followed_by_a_read_of_the_credit(self, world: MetersWorld) -> None:
        """[MET-71] As urgent as the top-up; [MET-115] it lives for 30 minutes."""
        desk = Desk(world)
        top_up = await desk.buy()
        await desk.apply(world.succeeded(top_up.id))
        (follow_up,) = await world.of_type(READ_CREDIT)
        assert (follow_up.origin, follow_up.follow_up_of_id) == (Origin.FOLLOW_UP, top_up.id)
        assert (follow_up.status, follow_up.priority) == (QUEUED, 50)
        assert follow_up.expires_at == world.clock.now() + timedelta(minutes=30)
        assert (str(follow_up.id), 50.0) in await desk.waiting_messages()
        assert await desk.news_of(follow_up.id) == [("CREATE", "QUEUED")]

    async def test_met_84_follow_ups_of_one_meter_coalesce(self, world: MetersWorld) -> None:
        """[MET-109] In one call and over calls; a further request is noted; [MET-72] the rank only rises."""
        meter_id = world.meter_ids[0]
        desk = Desk(world)
        orders = await desk.settle((meter_id, "1"), (meter_id, "2"), (meter_id, "3"), (world.meter_ids[1], "4"))
        one, two, three, other = [await desk.of_order(order_id) for order_id in orders]
        await desk.apply(world.succeeded(one.id), world.succeeded(two.id), world.succeeded(other.id))
        first, second = await world.of_type(READ_CREDIT)
        assert (first.meter_id, second.meter_id) == (meter_id, world.meter_ids[1])
        world.clock.advance(timedelta(minutes=10))
        await desk.apply(world.succeeded(three.id))
        (joined, _) = await world.of_type(READ_CREDIT)
        assert joined.expires_at == world.clock.now() + timedelta(minutes=30)
        assert [entry for entry in await world.requests() if entry[0] == first.id] == [
            (first.id, "FOLLOW_UP", False),
            (first.id, "FOLLOW_UP", True),
            (first.id, "FOLLOW_UP", True),
        ]
        assert ("COALESCED", "SYSTEM", first.id) in await world.history()

    async def test_met_109_a_waiting_read_of_a_user_serves_too_and_rises(self, world: MetersWorld) -> None:
        desk = Desk(world)
        top_up = await desk.buy()
        (asked,) = await world.add(read(world.meter_ids[0], priority=30))
        await desk.apply(world.succeeded(top_up.id))
        (served,) = await world.of_type(READ_CREDIT)
        assert (served.id, served.priority) == (asked.id, 50)

    async def test_met_109_a_read_sent_before_the_write_does_not_answer_it(self, world: MetersWorld) -> None:
        desk = Desk(world)
        top_up = await desk.buy()
        (asked,) = await world.add(read(world.meter_ids[0]))
        await desk.apply(world.handed_on(asked.id, command=CommandType.READ_CREDIT))
        await desk.apply(world.succeeded(top_up.id))
        assert len(await world.of_type(READ_CREDIT)) == 2

    async def test_a_meter_that_just_answered_is_reachable(self, world: MetersWorld) -> None:
        """[MET-62] A day of silence ended with this very answer: the read goes out."""
        meter_id = world.meter_ids[0]
        desk = Desk(world)
        top_up = await desk.buy(meter_id)
        await world.set_meter(meter_id, last_seen_at=world.clock.now() - timedelta(hours=30))
        await desk.apply(world.succeeded(top_up.id))
        (follow_up,) = await world.of_type(READ_CREDIT)
        assert follow_up.status is QUEUED

    async def test_a_follow_up_waits_for_the_grid_like_any_command(self, world: MetersWorld) -> None:
        desk = Desk(world)
        top_up = await desk.buy()
        await world.set_power(is_hps_on=False)
        await desk.apply(world.succeeded(top_up.id))
        (follow_up,) = await world.of_type(READ_CREDIT)
        assert (follow_up.status, follow_up.delivery_failures[0].code) == (InteractionStatus.SUSPENDED, "GRID_DOWN")

    @pytest.mark.parametrize("kind", [InteractionType.TURN_ON, READ_CREDIT])
    async def test_other_commands_are_followed_by_nothing(self, world: MetersWorld, kind: InteractionType) -> None:
        (asked,) = await world.add(read(world.meter_ids[0], kind))
        await Desk(world).apply(world.succeeded(asked.id))
        assert len(await world.interactions()) == 1
