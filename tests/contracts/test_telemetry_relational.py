"""The ports ``MeterRegister`` and ``GridState``: the fakes, and the relational plane."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.support.telemetry import at, meter_facts

from nxt_adapters.memory.telemetry import MemoryGridState, MemoryMeterRegister
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.grid_state import SupabaseGridState
from nxt_adapters.supabase.meter_facts import SupabaseMeterRegister
from nxt_domain.shared.errors import Unavailable
from nxt_domain.telemetry.model import GatewayGrid, IgnoredReason
from nxt_domain.telemetry.ports import GridState, MeterRegister

VILLAGE = """
INSERT INTO organizations (id, name) OVERRIDING SYSTEM VALUE VALUES (5, 'Kuwana Light');
INSERT INTO grids (id, name, organization_id, is_hidden_from_reporting, generation_external_gateway_id,
                   is_three_phase_supported, is_hps_on_threshold_kw)
    OVERRIDING SYSTEM VALUE
    VALUES (3, 'Kuwana', 5, false, 'c0619ab1a2b3', true, 0.7), (4, 'Dark', 5, true, '', false, 0);
INSERT INTO accounts (id, full_name, organization_id) OVERRIDING SYSTEM VALUE
    VALUES (1, 'Customer 1', 5), (2, 'Customer 2', 5), (3, 'Customer 3', 5);
INSERT INTO customers (id, account_id, grid_id, is_hidden_from_reporting) OVERRIDING SYSTEM VALUE
    VALUES (2001, 1, 3, false), (2002, 2, 3, true), (2003, 3, 4, false);
INSERT INTO connections (id, customer_id, currency, women_impacted, is_public, is_commercial, is_residential)
    OVERRIDING SYSTEM VALUE SELECT 1000 + n, 2000 + n, 'NGN', 0, false, false, true FROM generate_series(1, 3) n;
INSERT INTO dcus (id, external_reference, external_system, communication_protocol, grid_id) OVERRIDING SYSTEM VALUE
    VALUES (7, 'a84041ffff1e1234', 'CALIN', 'CALIN_LORAWAN', 3);
INSERT INTO meters (id, external_reference, external_system, connection_id, dcu_id, rls_grid_id, power_limit,
                    power_limit_should_be, is_on, should_be_on) OVERRIDING SYSTEM VALUE
    VALUES (1, '47000000001', 'CALIN', 1001, 7, 3, 500, 200, true, false),
           (2, '47000000002', 'CALIN', 1002, null, 3, null, null, null, null),
           (3, '47000000003', 'CALIN', 1003, null, 4, 0, 0, true, true),
           (4, '47000000004', 'CALIN', null, null, null, 0, 0, true, true),
           (5, '47000000005', 'CALIN', null, null, null, 0, 0, true, true);
UPDATE meters SET deleted_at = now() WHERE id = 5;
"""


class Plane:
    """A relational database with a village."""

    def __init__(self, url: str) -> None:
        self.url = url

    def run(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters or None)  # type: ignore[arg-type]  # a literal at each call
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def plane(relational_url: str) -> Plane:
    village = Plane(relational_url)
    village.run(VILLAGE)
    return village


@pytest.fixture
async def engine(plane: Plane) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(plane.url, pool_size=4)
    yield engine
    await engine.dispose()


@pytest.fixture(params=["memory", "postgres"])
def register(request: pytest.FixtureRequest) -> MeterRegister:
    if request.param == "postgres":
        return SupabaseMeterRegister(request.getfixturevalue("engine"))
    return MemoryMeterRegister({1: meter_facts(1), 4: IgnoredReason.NO_CUSTOMER})


async def test_facts_hold_the_copies_and_the_state(register: MeterRegister) -> None:
    """[TEL-67] [TEL-87] Every column that an hourly row copies."""
    assert (await register.facts([1]))[1] == meter_facts(1)


async def test_a_meter_that_takes_no_reports_says_why(register: MeterRegister) -> None:
    """[TEL-179] [TEL-68] One entry for each meter asked for; deleted meters are not found."""
    facts = await register.facts([4, 99, 5])
    assert facts == {
        4: IgnoredReason.NO_CUSTOMER,
        99: IgnoredReason.METER_NOT_FOUND,
        5: IgnoredReason.METER_NOT_FOUND,
    }
    assert await register.facts([]) == {}


async def test_missing_parts_give_null_copies(plane: Plane, engine: AsyncEngine) -> None:
    """[TEL-67] No DCU; either flag hides; NULL limits stay unknown."""
    facts = await SupabaseMeterRegister(engine).facts([2, 3])
    assert facts[2] == meter_facts(
        2,
        dcu_id=None,
        dcu_external_reference=None,
        dcu_external_system=None,
        is_hidden_from_reporting=True,
        power_limit_w=None,
        power_limit_should_be_w=None,
        is_on=None,
        should_be_on=None,
    )
    assert facts[3].is_hidden_from_reporting is True  # type: ignore[union-attr]  # it has facts


def last_non_zero(plane: Plane) -> dict[int, datetime | None]:
    return dict(plane.run("SELECT id, last_non_zero_consumption_at FROM meters WHERE id < 4"))


async def test_the_last_consumption_never_moves_back(plane: Plane, engine: AsyncEngine) -> None:
    """[TEL-83] [TEL-92] Many meters in one statement; an older hour changes nothing."""
    register = SupabaseMeterRegister(engine)
    await register.raise_last_non_zero_consumption({1: at(10), 2: at(12)})
    await register.raise_last_non_zero_consumption({1: at(9), 2: at(13), 99: at(1)})
    await register.raise_last_non_zero_consumption({})
    assert last_non_zero(plane) == {1: at(10), 2: at(13), 3: None}


async def test_writers_at_the_same_time_leave_the_newest(plane: Plane, engine: AsyncEngine) -> None:
    """[TEL-83] In whatever order they come, and without deadlock."""
    register = SupabaseMeterRegister(engine)
    hours = [{1: at(n), 2: at(23 - n), 3: at(5)} if n % 2 else {3: at(5), 2: at(23 - n), 1: at(n)} for n in range(24)]
    await asyncio.gather(*(register.raise_last_non_zero_consumption(each) for each in hours))
    assert last_non_zero(plane) == {1: at(23), 2: at(23), 3: at(5)}


async def test_thousands_of_meters_are_one_statement(engine: AsyncEngine) -> None:
    """[TEL-41] [TEL-30] No limit of bind parameters is met."""
    register = SupabaseMeterRegister(engine)
    facts = await register.facts(range(1, 70_001))
    assert len(facts) == 70_000
    assert sum(not isinstance(fact, IgnoredReason) for fact in facts.values()) == 3


KUWANA = GatewayGrid(
    grid_id=3, portal_id="c0619ab1a2b3", is_three_phase_supported=True, is_hps_on=False, threshold_kw=0.7
)


@pytest.fixture(params=["memory", "postgres"])
def grids(request: pytest.FixtureRequest) -> GridState:
    if request.param == "postgres":
        return SupabaseGridState(request.getfixturevalue("engine"))
    return MemoryGridState([KUWANA])


async def test_gateway_grids_are_listed_with_their_settings(grids: GridState) -> None:
    """[TEL-152] Live, Victron, with a gateway id that is not empty."""
    assert list(await grids.gateway_grids()) == [KUWANA]


async def test_the_state_is_written_only_where_it_differs(grids: GridState) -> None:
    """[TEL-157] [TEL-40]"""
    assert await grids.set_energised(3, is_hps_on=True, at=at(9)) is True
    assert await grids.set_energised(3, is_hps_on=True, at=at(10)) is False
    assert await grids.set_energised(99, is_hps_on=True, at=at(10)) is False
    assert (await grids.gateway_grids())[0].is_hps_on is True


async def test_the_time_of_a_change_is_kept(plane: Plane, engine: AsyncEngine) -> None:
    """[REL-13] [TEL-157] Of the change, not of its repetition; deleted and other grids are left out."""
    grids = SupabaseGridState(engine)
    await grids.set_energised(3, is_hps_on=True, at=at(9))
    await grids.set_energised(3, is_hps_on=True, at=at(10))
    assert plane.run("SELECT is_hps_on, is_hps_on_updated_at FROM grids WHERE id = 3") == [(True, at(9))]
    plane.run("UPDATE grids SET deleted_at = now() WHERE id = 3")
    assert list(await grids.gateway_grids()) == []


async def test_a_store_that_is_away_is_told_in_the_domains_words() -> None:
    """[TEL-169]"""
    engine = create_engine("postgresql://nobody:x@127.0.0.1:9/none")
    with pytest.raises(Unavailable):
        await SupabaseGridState(engine).gateway_grids()
    with pytest.raises(Unavailable):
        await SupabaseMeterRegister(engine).facts([1])
    await engine.dispose()
