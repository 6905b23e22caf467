"""Migrations of the relational plane."""

from __future__ import annotations

import secrets
import subprocess
import sys
from contextlib import ExitStack

import psycopg
import pytest
from sqlalchemy.engine import make_url
from tests.support.databases import empty_database, untouched_server
from tests.support.ledger import entry, post

from nxt_entrypoints.database import migrate
from nxt_entrypoints.database.comparison import check


def test_upgrade_runs_from_empty_and_twice(empty_url: str) -> None:
    """[REL-186] All steps apply to an empty database, and a second run has no effect."""
    told: list[str] = []
    assert migrate.current(empty_url, "relational") is None
    applied = migrate.upgrade(empty_url, "relational", progress=told.append)
    assert applied[-1] == migrate.head("relational") == migrate.current(empty_url, "relational")
    assert len(told) == len(applied)
    assert migrate.upgrade(empty_url, "relational") == []


def test_two_upgrades_at_once_wait_for_each_other(empty_url: str) -> None:
    """[REL-173] [REL-186] Of two commands at the same time one applies the steps and the other finds them applied."""
    outcomes = _upgrades(empty_url, empty_url)
    assert sorted(outcomes) == ["0", str(len(_revisions()))]
    assert migrate.current(empty_url, "relational") == migrate.head("relational")


def _revisions() -> list[str]:
    return [script.name for script in migrate.script_location("relational").glob("versions/*.py")]


def _upgrades(*urls: str) -> list[str]:
    program = (
        "import sys; from nxt_entrypoints.database.migrate import upgrade;"
        " print(len(upgrade(sys.argv[1], 'relational')))"
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    runs = [subprocess.Popen([sys.executable, "-c", program, url], **pipes) for url in urls]
    results = [(*run.communicate(timeout=60), run.returncode) for run in runs]
    assert [(error, code) for _, error, code in results] == [("", 0)] * len(urls)
    return [out.strip() for out, _, _ in results]


def test_indexes_that_were_half_made_are_made_whole(relational_url: str) -> None:
    """[REL-173] A step outside of transactions may stop anywhere, and is run again."""
    with psycopg.connect(relational_url, autocommit=True) as connection:
        connection.execute("update alembic_version set version_num = '0022'")
        connection.execute("drop index ix_orders_author_id")
        connection.execute("create index ix_notifications_grid_id_new on notifications (grid_id)")
        connection.execute("create index idx_orders_energy_topup_grid on orders (historical_grid_id)")
    assert migrate.upgrade(relational_url, "relational") == _since("0022")
    assert check(relational_url, "relational") == []


def test_long_work_is_not_held_up(relational_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """[REL-173] A step waits for a few seconds, gives up with a word, and runs when it is given again."""
    monkeypatch.setattr(migrate, "_LOCK_TIMEOUT", "100ms")
    with psycopg.connect(relational_url) as worker:
        worker.execute("update alembic_version set version_num = '0022'")
        worker.commit()
        worker.execute("lock table orders in row exclusive mode")
        with pytest.raises(migrate.MigrationWaited, match="waited 100ms") as caught:
            migrate.upgrade(relational_url, "relational")
    assert caught.value.code == "MIGRATION_WAITED"
    assert migrate.current(relational_url, "relational") == "0022"
    assert migrate.upgrade(relational_url, "relational") == _since("0022")


def _since(revision: str) -> list[str]:
    return sorted(name[:4] for name in _revisions() if name[:4] > revision)


def test_downgrade_is_refused(relational_url: str) -> None:
    """[REL-173] Migrations go forward only."""
    with pytest.raises(migrate.DowngradeRefused):
        migrate.downgrade(relational_url, "relational")
    assert migrate.current(relational_url, "relational") == migrate.head("relational")


def test_roles_are_limited(relational_url: str) -> None:
    """[REL-147] [PAY-32] [R14] The application's role reads the ledger and can not write it."""
    with psycopg.connect(relational_url, autocommit=True) as connection:
        connection.execute("set role nxt_app")
        assert connection.execute("select count(*) from internal.ledger_postings").fetchone() == (0,)
        for statement in (
            "insert into internal.ledger_accounts (code, account_class, currency) values ('x', 'INCOME', 'NGN')",
            "update internal.ledger_accounts set balance = 1",
            "delete from internal.ledger_entries",
            "truncate internal.ledger_postings",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_a_login_that_is_no_superuser_can_migrate_and_act(any_postgres_server: str) -> None:
    """[R14] [R45] The owner needs CREATEROLE and its database, nothing more; the application's role stays limited."""
    login = f"nxt_test_owner_{secrets.token_hex(4)}"
    with empty_database(any_postgres_server) as url, psycopg.connect(any_postgres_server, autocommit=True) as admin:
        database = make_url(url).database
        admin.execute(f"create role {login} login createrole")
        try:
            admin.execute(f"alter database {database} owner to {login}")
            if admin.info.server_version >= 160000:
                # Roles that another login made are lent to the owner by whoever made them.
                admin.execute(f"grant nxt_app, nxt_ledger to {login} with admin option")
            own = make_url(url).set(username=login).render_as_string(hide_password=False)
            migrate.upgrade(own, "relational")
            assert check(own, "relational") == []
            with psycopg.connect(own, autocommit=True) as connection:
                connection.execute("set role nxt_app")
                connection.execute("insert into organizations (name) values ('Oke Agbede')")
                connection.execute("insert into wallets (organization_id) select id from organizations")
                connection.execute("select internal.ensure_ledger_account('income:rental')")
                post(connection, [entry("k", ("income:rental", "-1"), ("wallet:1", "1"))])
                assert connection.execute("select balance from wallets").fetchone() == (1,)
        finally:
            admin.execute(f"drop database {database} with (force)")
            admin.execute(f"drop owned by {login}")
            admin.execute(f"drop role {login}")


def test_databases_of_one_cluster_migrate_at_once() -> None:
    """[R45] Roles belong to the cluster; migrations of several databases may make them in the same instant."""
    with ExitStack() as stack:
        server = stack.enter_context(untouched_server())
        urls = [stack.enter_context(empty_database(server)) for _ in range(3)]
        _upgrades(*urls)
        assert [migrate.current(url, "relational") for url in urls] == [migrate.head("relational")] * 3
