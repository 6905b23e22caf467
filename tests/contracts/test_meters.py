"""``Meters`` and ``StateEvents``: one suite over memory and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest
from tests.support.meters_villages import KINDS, village
from tests.support.meters_world import DELETED_NUMBER, EUI, NUMBER_WITHOUT_GRID, NUMBERS, MetersWorld

from nxt_domain.grids.model import CommunicationProtocol, MeterPhase
from nxt_domain.meters.model import MeterObservation
from nxt_domain.meters.state_events import Actor, StateEvent, StateEventKind


@pytest.fixture(params=KINDS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[MetersWorld]:
    async with village(request, request.param) as built:
        yield built


async def _observe(world: MetersWorld, *observations: MeterObservation) -> None:
    async with world.begin() as tx:
        await tx.meters.lock({observation.meter_id for observation in observations})
        await tx.meters.observe(observations)
        await tx.commit()


class TestLock:
    async def test_a_meter_comes_with_all_that_commands_and_answers_need(self, world: MetersWorld) -> None:
        meter = await world.meter(world.meter_ids[0])
        assert meter.external_reference == NUMBERS[0]
        assert meter.communication_protocol is CommunicationProtocol.CALIN_LORAWAN
        assert meter.phase is MeterPhase.SINGLE_PHASE
        assert (meter.grid_id, meter.dcu_id) == (world.grid_id, world.gateway_ids[0])
        assert meter.dcu_external_reference == EUI
        assert meter.connection_id is not None
        assert meter.organization_id is not None
        assert meter.tariff == Decimal(250)

    async def test_a_meter_without_connection_has_no_grid_and_no_tariff(self, world: MetersWorld) -> None:
        """[MET-14] An unassigned meter belongs to no grid; [MET-91] its credit has no price."""
        meter = await world.meter(world.loose_meter_id)
        assert (meter.grid_id, meter.connection_id, meter.tariff, meter.organization_id) == (None, None, None, None)

    async def test_met_12_deleted_and_unknown_meters_are_left_out(self, world: MetersWorld) -> None:
        async with world.begin() as tx:
            found = await tx.meters.lock([world.deleted_meter_id, 999_999, *world.meter_ids])
            nothing = await tx.meters.lock([])
        assert list(found) == sorted(world.meter_ids)
        assert nothing == {}

    async def test_met_12_numbers_are_found_exactly_and_never_deleted_ones(self, world: MetersWorld) -> None:
        async with world.begin() as tx:
            found = await tx.meters.ids_of({NUMBERS[1], DELETED_NUMBER, NUMBER_WITHOUT_GRID, "47001", "nonsense"})
            nothing = await tx.meters.ids_of([])
        assert found == {NUMBERS[1]: world.meter_ids[1], NUMBER_WITHOUT_GRID: world.loose_meter_id}
        assert nothing == {}


class TestObserve:
    async def test_met_83_every_value_is_written_with_its_time(self, world: MetersWorld) -> None:
        meter_id, now = world.meter_ids[0], world.clock.now()
        await _observe(
            world,
            MeterObservation(
                meter_id=meter_id,
                observed_at=now,
                seen=True,
                relay_on=True,
                credit_kwh=Decimal("12.345"),
                balance=Decimal("3086.25"),
                power_limit_w=200,
                voltage_v=Decimal("229.5"),
                power_kw=Decimal("0.145"),
                version="2F6B4584",
                snr=7.5,
                rssi=-101.0,
                gateway_id=world.gateway_ids[1],
            ),
        )
        told = await world.reported(meter_id)
        assert told == {
            "is_on": True,
            "is_on_updated_at": now,
            "power_limit": 200,
            "kwh_credit_available": Decimal("12.345"),
            "kwh_credit_available_updated_at": now,
            "balance": Decimal("3086.25"),
            "balance_updated_at": now,
            "voltage": 229.5,
            "power": 0.145,
            "version": "2F6B4584",
            "last_seen_at": now,
            "dcu_id": world.gateway_ids[1],
            "snr": 7.5,
            "rssi": -101.0,
        }

    async def test_met_83_what_an_observation_does_not_say_stays(self, world: MetersWorld) -> None:
        meter_id, now = world.meter_ids[0], world.clock.now()
        await _observe(world, MeterObservation(meter_id=meter_id, observed_at=now, relay_on=False, version="A"))
        before = await world.reported(meter_id)
        await _observe(world, MeterObservation(meter_id=meter_id, observed_at=now + timedelta(minutes=1)))
        assert await world.reported(meter_id) == before
        assert before["is_on"] is False

    async def test_met_83_older_news_never_overwrite_newer_value_by_value(self, world: MetersWorld) -> None:
        meter_id, now = world.meter_ids[0], world.clock.now()
        newer = MeterObservation(
            meter_id=meter_id, observed_at=now, seen=True, relay_on=True, credit_kwh=Decimal(5), snr=9.0, rssi=-90.0
        )
        older = MeterObservation(
            meter_id=meter_id,
            observed_at=now - timedelta(minutes=5),
            seen=True,
            relay_on=False,
            credit_kwh=Decimal(9),
            balance=Decimal(99),
            voltage_v=Decimal(230),
            snr=1.0,
            rssi=-120.0,
            gateway_id=world.gateway_ids[1],
        )
        await _observe(world, newer)
        await _observe(world, older)
        told = await world.reported(meter_id)
        assert (told["is_on"], told["kwh_credit_available"], told["last_seen_at"]) == (True, Decimal(5), now)
        assert (told["snr"], told["dcu_id"]) == (9.0, world.gateway_ids[0])
        assert told["balance"] is None
        assert told["voltage"] == 230.0  # of that nothing newer was known

    async def test_met_83_several_observations_of_one_meter_in_one_call(self, world: MetersWorld) -> None:
        meter_id, now = world.meter_ids[0], world.clock.now()
        told = [
            MeterObservation(meter_id=meter_id, observed_at=now, credit_kwh=Decimal(4), interaction_id=3),
            MeterObservation(
                meter_id=meter_id,
                observed_at=now - timedelta(minutes=1),
                relay_on=True,
                credit_kwh=Decimal(8),
                seen=True,
                interaction_id=1,
            ),
            MeterObservation(
                meter_id=meter_id,
                observed_at=now - timedelta(minutes=2),
                relay_on=False,
                power_limit_w=300,
                seen=True,
                interaction_id=2,
            ),
            MeterObservation(meter_id=world.meter_ids[1], observed_at=now, relay_on=False, interaction_id=4),
        ]
        await _observe(world, *told)
        first, second = await world.reported(meter_id), await world.reported(world.meter_ids[1])
        assert (first["is_on"], first["kwh_credit_available"], first["power_limit"]) == (True, Decimal(4), 300)
        assert first["last_seen_at"] == now - timedelta(minutes=1)
        assert second["is_on"] is False
        assert await world.shadows(meter_id) == {"relay": (1, 1), "power_limit": (300, 2)}

    async def test_the_time_is_that_of_the_last_look(self, world: MetersWorld) -> None:
        """[REL-13] [REL-51] Also where the value is the same as before; the balance is written with the credit."""
        meter_id, now = world.meter_ids[0], world.clock.now()
        later = now + timedelta(minutes=5)
        for moment in (now, later):
            seen = {"relay_on": True, "credit_kwh": Decimal(4), "balance": Decimal(1000)}
            await _observe(world, MeterObservation(meter_id=meter_id, observed_at=moment, **seen))
        told = await world.reported(meter_id)
        assert [value for name, value in told.items() if name.endswith("_updated_at")] == [later] * 3

    async def test_of_equal_times_the_later_one_counts(self, world: MetersWorld) -> None:
        meter_id, now = world.meter_ids[0], world.clock.now()
        off, on = (MeterObservation(meter_id=meter_id, observed_at=now, relay_on=value) for value in (False, True))
        await _observe(world, off, on)
        assert (await world.reported(meter_id))["is_on"] is True
        await _observe(world, off)
        assert (await world.reported(meter_id))["is_on"] is False

    async def test_met_91_a_credit_without_price_leaves_the_balance_alone(self, world: MetersWorld) -> None:
        meter_id, now = world.meter_ids[0], world.clock.now()
        first = MeterObservation(meter_id=meter_id, observed_at=now, credit_kwh=Decimal(4), balance=Decimal(1000))
        then = MeterObservation(meter_id=meter_id, observed_at=now + timedelta(minutes=1), credit_kwh=Decimal(3))
        await _observe(world, first)
        await _observe(world, then)
        told = await world.reported(meter_id)
        assert (told["kwh_credit_available"], told["balance"]) == (Decimal(3), Decimal(1000))
        assert told["balance_updated_at"] == now

    async def test_met_27_the_shadow_and_the_column_tell_the_same(self, world: MetersWorld) -> None:
        """[REL-159] A report older than the shadow's changes neither."""
        meter_id, now = world.meter_ids[0], world.clock.now()
        await _observe(
            world,
            MeterObservation(meter_id=meter_id, observed_at=now, relay_on=True, power_limit_w=0, interaction_id=8),
        )
        await _observe(
            world,
            MeterObservation(
                meter_id=meter_id, observed_at=now - timedelta(hours=1), relay_on=False, power_limit_w=200
            ),
        )
        told = await world.reported(meter_id)
        assert (told["is_on"], told["power_limit"]) == (True, 0)
        assert await world.shadows(meter_id) == {"relay": (1, 8), "power_limit": (0, 8)}

    async def test_met_28_a_change_of_what_is_reported_is_noted_once(self, world: MetersWorld) -> None:
        meter_id, now = world.meter_ids[0], world.clock.now()
        for minute, value in enumerate((True, True, False)):
            await _observe(
                world,
                MeterObservation(
                    meter_id=meter_id,
                    observed_at=now + timedelta(minutes=minute),
                    relay_on=value,
                    interaction_id=minute + 1,
                ),
            )
        assert await world.history() == [("REPORTED_SET", "DEVICE", 1), ("REPORTED_SET", "DEVICE", 3)]

    async def test_nothing_to_observe(self, world: MetersWorld) -> None:
        async with world.begin() as tx:
            await tx.meters.observe([])
            await tx.commit()
        assert await world.history() == []


async def test_met_28_history_keeps_its_order_and_rolls_back_with_its_cause(world: MetersWorld) -> None:
    meter_id = world.meter_ids[0]
    events = [
        StateEvent(meter_id=meter_id, event=kind, actor=Actor.TRIAGE, interaction_id=number, data={"n": number})
        for number, kind in enumerate((StateEventKind.VERIFYING, StateEventKind.CONFIRMED), start=1)
    ]
    async with world.begin() as tx:
        await tx.state_events.add(events)
        await tx.commit()
    async with world.begin() as tx:
        await tx.state_events.add(events)
    assert await world.history() == [("VERIFYING", "TRIAGE", 1), ("CONFIRMED", "TRIAGE", 2)]
