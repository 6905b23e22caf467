"""What the relational plane forgets."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from tests.support.tenant_world import World

from nxt_adapters.supabase import retention
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.retention import PostgresRetention

_INTERACTION = """
    insert into meter_interactions (
        meter_id, meter_interaction_type, meter_interaction_status, origin, created_at, payload_data)
    select %s, %s, 'SUCCESSFUL', 'UNSOLICITED', now() - make_interval(days => age), jsonb_build_object('age', age)
    from unnest(%s::integer[]) as ages (age)
"""
_PLAN = "insert into autopilot_executions (created_at) select now() - make_interval(days => unnest(array[91, 89]))"
_FORECAST = """
    insert into solcast_cache (
        created_at, request_type, latitude, longitude, tilt, azimuth, capacity_kwp, install_date, response)
    select now() - make_interval(days => age), 'FORECAST', 1, 1, 1, 1, age, '2020-01-01', '{}'
    from unnest(array[8, 6]) as ages (age)
"""
_MENU = "insert into ussd_sessions (phone, external_system) values ('+2348000000000', 'AFRICASTALKING')"
_STEP = """
    insert into ussd_session_hops (created_at, ussd_session_id, text)
    select now() - make_interval(days => age), s.id, age::text
    from ussd_sessions s, unnest(array[731, 729]) as ages (age)
"""
_MESSAGE = """
    insert into messaging.message_archive (
        id, command_type, priority, plugin_id, device, ready_queue, delivery_status, enqueued_at, finished_at)
    select 'message ' || age, 'READ_CREDIT', 1, 'stub-push', '{}', 'q', 'DELIVERY_SUCCESSFUL', now(),
        now() - make_interval(days => age)
    from unnest(%s::integer[]) as ages (age)
"""


async def _forget(url: str) -> int:
    engine = create_engine(url, pool_size=1)
    try:
        return await PostgresRetention(engine, reports=timedelta(days=90), messages=timedelta(days=30))()
    finally:
        await engine.dispose()


async def test_old_reports_go_but_each_meters_newest(relational_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """[REL-143] In as many transactions as it takes; nothing but reports, and none that is young enough."""
    monkeypatch.setattr(retention, "BATCH", 2)
    world = World(relational_url)
    busy, silent = world.tenants["A"]["meter"], world.tenants["B"]["meter"]
    world.session.execute("delete from meter_interactions where meter_interaction_type = 'READ_REPORT'")
    world.session.execute(_INTERACTION, [busy, "READ_REPORT", [400, 300, 200, 95, 91, 89, 1]])
    world.session.execute(_INTERACTION, [silent, "READ_REPORT", [500, 400]])
    world.session.execute(_INTERACTION, [busy, "READ_CREDIT", [400]])
    world.session.commit()
    assert await _forget(relational_url) == 6
    assert await _forget(relational_url) == 0
    left = world.query(
        "select meter_id, meter_interaction_type::text as command, (payload_data ->> 'age')::int as age"
        " from meter_interactions where payload_data ? 'age' order by meter_id, age"
    )
    assert [(row["meter_id"], row["command"], row["age"]) for row in left] == [
        (busy, "READ_REPORT", 1),
        (busy, "READ_REPORT", 89),
        (busy, "READ_CREDIT", 400),
        (silent, "READ_REPORT", 400),
    ]
    world.session.close()


async def test_finished_messages_and_logs_have_their_time(relational_url: str) -> None:
    """[REL-143] Plans after 90 days, forecasts after 7, menus' steps after two years; the archive as configured."""
    with psycopg.connect(relational_url, autocommit=True) as session:
        session.execute(_MESSAGE, [[31, 29, 0]])
        for statement in (_PLAN, _FORECAST, _MENU, _STEP):
            session.execute(statement)
        assert await _forget(relational_url) == 4
        assert session.execute("select id from messaging.message_archive order by id").fetchall() == [
            ("message 0",),
            ("message 29",),
        ]
        assert session.execute("select text from ussd_session_hops").fetchall() == [("729",)]
        assert session.execute("select count(*) from autopilot_executions").fetchone() == (1,)
        assert session.execute("select capacity_kwp::int from solcast_cache").fetchall() == [(6,)]
