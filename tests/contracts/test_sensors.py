"""Sensors of sites: one suite over memory and PostgreSQL, with the use case over both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from tests.support.ledger import connect

from nxt_adapters.memory.sensors import SensorState
from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_adapters.supabase.engine import create_engine, load_json
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_domain.grids.sensors import PulseOutcome, SensorRow, TakeSensorEvent, sink_body
from nxt_domain.shared.errors import NotFound

EUI, BARE, POOR = "24e124136d000001", "24e124136d000002", "24e124136d000003"
NOWHERE = "24e124136d000009"


class Site:
    """Three sensors: behind the first stands a paying customer's meter, behind the third one without wallet."""

    plane: MemoryPlane | None = None
    engine: Any = None

    def begin(self) -> Any:
        if self.plane is not None:
            return self.plane.begin()
        return SupabaseUnitOfWork(self.engine, lambda _: None)  # type: ignore[arg-type, return-value]  # no messages here

    async def state(self, eui: str) -> SensorState:
        if self.plane is not None:
            state: SensorState = self.plane.database.table("devices")[eui]
            return state
        async with self.engine.connect() as connection:
            row = (
                await connection.execute(
                    text(
                        'select d.id, cast(d."values" as text) as "values", m.pulse_counter_kwh,'
                        " m.pulse_counter_kwh_updated_at,"
                        " array(select message from device_logs l where l.device_id = d.id order by l.id) as log"
                        " from devices d left join meters m on m.device_id = d.id where d.external_reference = :eui"
                    ),
                    {"eui": eui},
                )
            ).one()
        values: Any = load_json(row.values)
        return SensorState(
            id=row.id,
            values=values or None,
            log=tuple(load_json(line) for line in row.log),  # type: ignore[misc]  # any JSON
            pulse_counter_kwh=row.pulse_counter_kwh,
            counted_at=row.pulse_counter_kwh_updated_at,
        )

    async def pass_time(self, step: timedelta) -> None:
        if self.plane is not None:
            self.plane.clock.advance(step)
            return
        async with self.engine.begin() as connection:
            await connection.execute(
                text("update meters set pulse_counter_kwh_updated_at = pulse_counter_kwh_updated_at - :step"),
                {"step": step},
            )


@pytest.fixture(params=["memory", "postgres"])
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    built = Site()
    if request.param == "memory":
        built.plane = MemoryPlane()
        async with built.plane.begin() as tx:
            for number, (eui, has_meter, has_wallet) in enumerate(
                [(EUI, True, True), (BARE, False, False), (POOR, True, False)], start=1
            ):
                tx.sensors.know(eui, SensorState(id=number, has_meter=has_meter, has_wallet=has_wallet))
            await tx.commit()
        yield built
        return
    url = request.getfixturevalue("relational_url")
    _furnish(url)
    built.engine = create_engine(url, pool_size=2)
    yield built
    await built.engine.dispose()


def _furnish(url: str) -> None:
    with connect(url) as owner:

        def one(statement: str, *values: object) -> int:
            row = owner.execute(statement, values).fetchone()  # type: ignore[arg-type]  # literals of this file
            assert row is not None
            return int(str(row[0]))

        organization = one("insert into organizations (name) values ('Lake Power') returning id")
        grid = one("insert into grids (name, organization_id) values ('Kalonda', %s) returning id", organization)
        kind = one("insert into device_types (name) values ('sensor') returning id")
        devices = [
            one(
                "insert into devices (device_type_id, external_reference, grid_id) values (%s, %s, %s) returning id",
                kind,
                eui,
                grid,
            )
            for eui in (EUI, BARE, POOR)
        ]
        for number, device in enumerate((devices[0], devices[2])):
            account = one("insert into accounts (full_name) values ('Customer') returning id")
            customer = one("insert into customers (account_id, grid_id) values (%s, %s) returning id", account, grid)
            connection = one(
                "insert into connections (customer_id, currency, women_impacted, is_public, is_commercial,"
                " is_residential) values (%s, 'NGN', 1, false, false, true) returning id",
                customer,
            )
            one(
                "insert into meters (external_reference, external_system, connection_id, device_id)"
                " values (%s, 'CALIN', %s, %s) returning id",
                f"4700100011{number}",
                connection,
                device,
            )
            if number == 0:
                one("insert into wallets (customer_id) values (%s) returning id", customer)


def post(eui: str = EUI, **members: Any) -> dict[str, Any]:
    return {
        "deviceInfo": {"devEui": eui},
        "time": "2026-05-01T11:00:03.120+01:00",
        "object": {"data": {"EPa": Decimal("1532.4"), "Ua": Decimal("229.8")}},
        **members,
    }


AT = datetime(2026, 5, 1, 10, 0, 3, 120_000, tzinfo=UTC)


async def test_an_energy_meter_s_post_is_logged_kept_and_counted(site: Site) -> None:
    """[DM-187] [API-131] With the row for the telemetry role; its time in UTC."""
    taken = await TakeSensorEvent(site.begin).acrel(post())
    state = await site.state(EUI)
    assert (state.values, state.pulse_counter_kwh) == (post()["object"]["data"], Decimal("1532.4"))
    assert [dict(line) for line in state.log] == [post()]  # type: ignore[arg-type, call-overload]  # objects
    assert taken.pulses is PulseOutcome.WRITTEN
    assert taken.row == SensorRow(device_id=state.id, at=AT, data=post()["object"]["data"])
    assert sink_body(taken.row, "2026-05-01T10:00:03.120Z") == {
        "device_id": state.id,
        "created_at": "2026-05-01T10:00:03.120Z",
        "timestamp": "2026-05-01T10:00:03.120Z",
        "data": post()["object"]["data"],
        "meta": {},
    }


async def test_the_counter_is_written_each_half_hour_at_most(site: Site) -> None:
    """[DM-187] More than thirty minutes after the last time."""
    take = TakeSensorEvent(site.begin)
    outcomes = []
    for minutes in (0, 29, 2):
        await site.pass_time(timedelta(minutes=minutes))
        energy = {"data": {"EPa": Decimal(1500 + len(outcomes))}}
        outcomes.append((await take.acrel(post(object=energy))).pulses)
    assert outcomes == [PulseOutcome.WRITTEN, PulseOutcome.TOO_SOON, PulseOutcome.WRITTEN]
    assert (await site.state(EUI)).pulse_counter_kwh == 1502
    assert len((await site.state(EUI)).log) == 3


@pytest.mark.parametrize(("eui", "outcome"), [(BARE, PulseOutcome.NO_METER), (POOR, PulseOutcome.NO_WALLET)])
async def test_a_counter_that_belongs_to_nobody(site: Site, eui: str, outcome: PulseOutcome) -> None:
    """[DM-187] The post is kept and passed on all the same."""
    taken = await TakeSensorEvent(site.begin).acrel(post(eui))
    assert (taken.pulses, taken.row is not None) == (outcome, True)
    state = await site.state(eui)
    assert (state.values, state.pulse_counter_kwh, len(state.log)) == (post()["object"]["data"], None, 1)


async def test_a_post_without_data_is_only_logged(site: Site) -> None:
    """[DM-187] Whatever stands in its place."""
    take = TakeSensorEvent(site.begin)
    without: list[Any] = [None, {}, [], {"data": None}, "text"]
    for decoded in without:
        taken = await take.acrel(post(object=decoded))
        assert (taken.row, taken.pulses) == (None, None), decoded
    state = await site.state(EUI)
    assert (len(state.log), state.values) == (len(without), None)


async def test_a_counter_that_is_no_number_is_none(site: Site) -> None:
    """[DM-187]"""
    for energy in ("12", True, None, [1], float("nan")):
        taken = await TakeSensorEvent(site.begin).acrel(post(object={"data": {"EPa": energy}}))
        assert taken.pulses is None, energy
    assert (await site.state(EUI)).pulse_counter_kwh is None


async def test_a_probe_s_post_is_logged_and_passed_on_whole(site: Site) -> None:
    """[DM-188] [API-132] The last values are not touched."""
    taken = await TakeSensorEvent(site.begin).milesight(post(object={"temperature": Decimal("31.5"), "data": 1}))
    assert taken.row is not None
    assert taken.row.data == {"temperature": Decimal("31.5"), "data": 1}
    state = await site.state(EUI)
    assert (len(state.log), state.values, state.pulse_counter_kwh) == (1, None, None)


async def test_an_unknown_device_is_not_found(site: Site) -> None:
    """[DM-187] [DM-188] [API-131] [API-132] Nor one that nobody names."""
    take = TakeSensorEvent(site.begin)
    bodies: list[Any] = [post(NOWHERE), {}, [], None, {"deviceInfo": {"devEui": 7}}, {"deviceInfo": "x"}]
    for body in bodies:
        for verb in (take.acrel, take.milesight):
            with pytest.raises(NotFound):
                await verb(body)


async def test_a_reading_needs_a_time(site: Site) -> None:
    """[DM-187] One without zone is UTC; without any the row can't be placed."""
    for time, at in ((None, None), ("yesterday", None), (7, None), ("2026-05-01T10:00:03.120", AT)):
        taken = await TakeSensorEvent(site.begin).acrel(post(time=time))
        assert (None if taken.row is None else taken.row.at) == at, time


async def test_text_that_no_store_takes_is_replaced(site: Site) -> None:
    """[DM-187] A post is never lost for a character."""
    await TakeSensorEvent(site.begin).acrel(post(object={"data": {"note": "a\x00b\ud800"}}))
    assert (await site.state(EUI)).values == {"note": "a\ufffdb\ufffd"}
