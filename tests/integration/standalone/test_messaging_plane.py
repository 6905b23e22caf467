"""The schema of the stand-alone messaging plane."""

from __future__ import annotations

import psycopg
from tests.support import databases

from nxt_entrypoints.database.comparison import check
from nxt_entrypoints.database.migrate import upgrade


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
