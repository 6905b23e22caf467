"""The schema of the stand-alone messaging plane."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from tests.support import databases

from nxt_adapters.supabase import retention
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.stand_alone import Upkeep
from nxt_entrypoints.cli.main import run
from nxt_entrypoints.database.comparison import check
from nxt_entrypoints.database.migrate import upgrade

_ENDED = """
    insert into messaging.message_archive (
        id, command_type, priority, plugin_id, device, ready_queue, delivery_status, enqueued_at, finished_at)
    select age, 'READ_CREDIT', 1, 'stub-push', '{}', 'q', 'DELIVERY_SUCCESSFUL', now(),
        now() - make_interval(days => age)
    from unnest(%s::integer[]) as ages (age)
"""
_NAMED = """
    insert into messaging.enqueue_requests (request_key, message_id, created_at)
    select age, age, now() - make_interval(days => age) from unnest(%s::integer[]) as ages (age)
"""


def test_its_tables_are_those_of_the_embedded_queue_and_its_own(messaging_url: str) -> None:
    """[DM-12] What another revision of the relational plane changes in the queue has to come here, too."""
    assert check(messaging_url, "messaging") == []
    with psycopg.connect(messaging_url, autocommit=True) as connection:
        connection.execute("alter table messaging.device_messages drop column holds_slot")
    assert [str(one) for one in check(messaging_url, "messaging")] != []


def test_a_second_upgrade_changes_nothing_and_partitions_are_there(postgres_server: str) -> None:
    """[DM-12] [R17] The archive has a partition for this month, the next three, and a DEFAULT one."""
    with databases.empty_database(postgres_server) as url:
        assert upgrade(url, "messaging") == ["0001"]
        assert upgrade(url, "messaging") == []
        with psycopg.connect(url) as connection:
            count = "select count(*) from pg_inherits where inhparent = 'messaging.message_archive'::regclass"
            assert connection.execute(count).fetchone() == (5,)
            assert connection.execute("select count(*) from messaging.ensure_partitions()").fetchone() == (0,)


async def test_what_was_kept_for_long_enough_goes(messaging_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """[DM-12] Ended messages after the days that were configured, request keys after a week; in small transactions."""
    monkeypatch.setattr(retention, "BATCH", 2)
    engine = create_engine(messaging_url, role=None, pool_size=1)
    with psycopg.connect(messaging_url, autocommit=True) as connection:
        connection.execute(_ENDED, [[95, 94, 93, 92, 91, 89, 0]])
        connection.execute(_NAMED, [[10, 9, 8, 6, 0]])
        await Upkeep(engine, timedelta(days=90))()
        await engine.dispose()
        messages = connection.execute("select id from messaging.message_archive order by id").fetchall()
        requests = connection.execute("select request_key from messaging.enqueue_requests order by 1").fetchall()
    assert messages == [("0",), ("89",)]
    assert requests == [("0",), ("6",)]


def test_the_command_brings_it_up_to_date(
    postgres_server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """[REL-173] ``nxt db upgrade --plane messaging``, which says what to set when nothing is."""
    monkeypatch.delenv("DEVICE_MESSAGING_DATABASE_URL", raising=False)
    assert run(["db", "upgrade", "--plane", "messaging"]) == 2
    assert "DEVICE_MESSAGING_DATABASE_URL" in capsys.readouterr().err
    with databases.empty_database(postgres_server) as url:
        monkeypatch.setenv("DEVICE_MESSAGING_DATABASE_URL", url)
        assert run(["db", "upgrade", "--plane", "messaging", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"applied": {"messaging": ["0001"]}}
        assert run(["db", "check", "--plane", "messaging"]) == 0


def test_its_document_is_written_beside_those_of_the_roles(tmp_path: Path) -> None:
    """[DM-151] [R54]"""
    assert run(["openapi", "--out", str(tmp_path)]) == 0
    document = json.loads((tmp_path / "openapi-messaging.json").read_text())
    assert document["info"]["title"] == "NXT Device Messaging"
    assert {path.name for path in tmp_path.iterdir()} >= {"openapi-api.json", "openapi-jobs.json"}
