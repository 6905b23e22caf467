"""`nxt db rebuild`: derived columns are found wrong, and put right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from click.testing import CliRunner
from tests.support import databases
from tests.support.databases import Unobtainable
from tests.support.ledger import connect
from tests.support.tenant_world import World

from nxt_entrypoints.cli.commands import nxt
from nxt_entrypoints.database.baseline_seed import Baseline
from nxt_entrypoints.database.derived_columns import ALL, OWNERS
from nxt_entrypoints.database.rebuild import rebuild
from nxt_entrypoints.demo.seed import seed_relational


@pytest.fixture(scope="module")
def demo_url() -> Iterator[str]:
    """The demo's month of history, which nobody changes but `disturb`."""
    try:
        with databases.fresh_database(databases.embedded_server(), "relational") as url:
            seed_relational(url, Baseline(), datetime(2026, 3, 10, 9, 15, tzinfo=UTC))
            yield url
    except Unobtainable as reason:
        pytest.skip(str(reason))


def _disturb(url: str, statement: str) -> None:
    with connect(url, role=None) as session:
        # Triggers would refuse it, or put it right at once.
        session.execute("set session_replication_role = replica")
        session.execute(statement)  # type: ignore[arg-type]  # statements of this file


def test_a_month_of_business_leaves_nothing_to_rebuild(demo_url: str) -> None:
    """[REL-194] [REL-83] Orders, fees, meters and installations as the product writes them."""
    assert [str(one) for one in rebuild(demo_url)] == []


def test_owners_are_as_triggers_derive_them(relational_url: str) -> None:
    """[REL-194] [REL-101] Also after a grid was sold and a meter taken off."""
    world = World(relational_url)
    a, b = world.tenants["A"], world.tenants["B"]
    world.session.execute("update grids set organization_id = %s where id = %s", [b["org"], a["grid"]])
    world.session.execute("update meters set connection_id = null where id = %s", [b["meter"]])
    world.session.commit()
    world.session.close()
    assert [str(one) for one in rebuild(relational_url, rules=OWNERS)] == []


WRONG = (
    ("update customers set rls_organization_id = 2 where id = 1", "customers", "rls_organization_id"),
    ("update meters set rls_organization_id = 2 where id = 1", "meters", "rls_organization_id"),
    ("update meters set rls_grid_id = 2 where id = 1", "meters", "rls_grid_id"),
    ("update wallets set rls_organization_id = null where meter_id = 1", "wallets", "rls_organization_id"),
    ("update members set rls_organization_id = null where id = 1", "members", "rls_organization_id"),
    (
        "update metering_hardware_install_sessions set rls_organization_id = null where id = 1",
        "metering_hardware_install_sessions",
        "rls_organization_id",
    ),
    ("update grids set kwp = 99 where id = 1", "grids", "kwp"),
    ("update connections set paid = 5 where id = 1", "connections", "paid"),
    ("update customers set total_connection_paid = 5 where id = 1", "customers", "total_connection_paid"),
    (
        "update metering_hardware_install_sessions set last_metering_hardware_import_id = null where id = 1",
        "metering_hardware_install_sessions",
        "last_metering_hardware_import_id",
    ),
    (
        "update meters set last_metering_hardware_install_session_id = null where id = 1",
        "meters",
        "last_metering_hardware_install_session_id",
    ),
)


@pytest.mark.parametrize(("statement", "table", "column"), WRONG)
def test_what_is_wrong_is_reported_and_repaired(demo_url: str, statement: str, table: str, column: str) -> None:
    """[REL-83] Once to report, which changes nothing, and once to repair; then nothing is left."""
    _disturb(demo_url, statement)
    for repairs in (False, True):
        (found,) = (one for one in rebuild(demo_url, repairs=repairs) if column in one.derived)
        assert (found.table, list(found.derived), found.is_repaired) == (table, [column], repairs)
    assert [str(one) for one in rebuild(demo_url)] == []


def test_fees_are_those_of_undeleted_requests(demo_url: str) -> None:
    """[REL-82] [REL-47] The sum over undeleted connections and requested meters, for a customer that has none too."""
    _disturb(
        demo_url,
        "insert into connection_requested_meters (connection_id, meter_type, meter_phase, fee, deleted_at)"
        " values (1, 'HPS', 'SINGLE_PHASE', 5000, null), (1, 'FS', 'SINGLE_PHASE', 7500, now())",
    )
    found = [one for one in rebuild(demo_url, repairs=True) if "total_connection_fee" in one.derived]
    assert [(one.id, one.derived["total_connection_fee"]) for one in found] == [(1, Decimal(20000))]
    _disturb(demo_url, "delete from connection_requested_meters where fee <> 15000")
    rebuild(demo_url, repairs=True)


def test_a_wallet_is_reported_and_never_repaired(demo_url: str) -> None:
    """[REL-83] Its balance follows the ledger alone; people look into it."""
    _disturb(demo_url, "update wallets set balance = balance + 5 where meter_id = 1")
    for repairs in (True, True):
        (found,) = rebuild(demo_url, repairs=repairs)
        assert (found.table, found.is_repaired) == ("wallets", False)
        assert found.stored["balance"] - found.derived["balance"] == 5  # type: ignore[operator]  # numbers
    _disturb(demo_url, "update wallets set balance = balance - 5 where meter_id = 1")


def test_runs_count_through_their_requests(relational_url: str) -> None:
    """[REL-61] [REL-163] Interactions of others count where they were joined; counts keep their checks."""
    world = World(relational_url)
    ids = world.tenants["A"]
    world.session.execute(
        "insert into internal.interaction_requests (meter_interaction_id, origin, batch_execution_id)"
        " values (%s, 'BATCH', %s), (%s, 'BATCH', %s)",
        [ids["interaction"], ids["execution"], ids["next_interaction"], ids["execution"]],
    )
    world.session.execute(
        "update meter_interactions set meter_interaction_status = 'ABORTED' where id = %s", [ids["interaction"]]
    )
    world.session.commit()
    rule = [one for one in ALL if one.table.name == "directive_batch_executions" and "pending_count" in one.columns]
    (found,) = rebuild(relational_url, repairs=True, rules=rule)
    assert found.derived == {"pending_count": 1, "failed_count": 1, "processed_count": 1}
    assert rebuild(relational_url, rules=rule) == []
    world.session.close()


def test_the_command_says_what_differs(demo_url: str) -> None:
    """[REL-83] [R54] Exit 0 for nothing, 1 for a finding, 0 again when all of it was repaired."""
    environment = {"NXT_DB_URL": demo_url, "NXT_TIMESCALE_DB_URL": demo_url}

    def run(*options: str) -> tuple[object, dict[str, object]]:
        command = ["db", "rebuild", "--json", *options]
        done = CliRunner().invoke(nxt, command, env=environment, standalone_mode=False)
        return done.return_value, json.loads(done.stdout)

    assert run() == (0, {"ok": True, "differences": []})
    _disturb(demo_url, "update grids set kwp = 99 where id = 1")
    code, facts = run()
    assert (code, facts["ok"]) == (1, False)
    (difference,) = facts["differences"]  # type: ignore[misc]  # a list of JSON
    assert difference["derived"]["kwp"] != difference["stored"]["kwp"] == "99.00"
    assert (difference["table"], difference["id"], difference["repaired"]) == ("grids", 1, False)
    assert run("--repair")[0] == 0
    assert run()[0] == 0
