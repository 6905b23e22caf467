"""Every table and every kind of caller, as the database's own roles see it: visible rows, permitted writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import psycopg
import pytest
from psycopg import sql
from tests.support import databases
from tests.support.databases import Unobtainable
from tests.support.row_rules import Facts, has_right, may
from tests.support.tenant_world import CONNECTION, POINT, SUBMISSION, Row, Who, World

from nxt_adapters.supabase.policies import RULES, Act
from nxt_adapters.supabase.tables import metadata

TABLES = sorted(table.name for table in metadata.tables.values() if table.schema is None)
CALLERS = (
    "anonymous", "nobody", "agent A", "customer A", "customer B", "member A", "member B", "lender", "platform member",
)  # fmt: skip

# What is tried where a rule admits inserts; "$x" as in ROWS. Other tables are tried with no values at all.
NEW_ROWS: Mapping[str, Row] = {
    "organizations": {"name": "Another", "epicollect_contract_survey_secret": "s3cret"},
    "notes": {"message": "Moved", "customer_id": "$customer", "author_id": "$member_account"},
    "audits": {"message": "Did it", "organization_id": "$org", "author_id": "$member_account"},
    "grids": {"name": "Another", "organization_id": "$org"},
    "poles": {"external_reference": "999", "grid_id": "$grid", "location_geom": POINT},
    "device_types": {"name": "Another"},
    "connections": {**CONNECTION, "customer_id": "$neighbour"},
    "meters": {"external_reference": "47001779999", "external_system": "CALIN", "connection_id": "$unused_connection"},
    "wallets": {"customer_id": "$neighbour"},
    "pd_site_submissions": SUBMISSION,
    "pd_sites": {"name": "Another"},
    "pd_flows": {"pd_flow_template_id": "$flow_template"},
    "pd_actions": {"name": "Another", "pd_action_type": "END"},
    "pd_documents": {"google_drive_document_id": "another"},
}
# What is tried where a rule says which change it admits; elsewhere a column is set to itself.
CHANGES: Mapping[str, tuple[str, str]] = {"orders": ("order_status", "'IGNORED'"), "accounts": ("telegram_id", "null")}


@pytest.fixture(scope="module", params=["embedded", "service"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """One world for all of them, on the embedded server and on that of NXT_TEST_POSTGRES_URL [R57]."""
    try:
        is_ours = request.param == "embedded"
        server = databases.embedded_server() if is_ours else databases.server_from_environment("NXT_TEST_POSTGRES_URL")
        with databases.fresh_database(server, "relational") as url:
            made = World(url)
            yield made
            made.session.close()
    except Unobtainable as reason:
        pytest.skip(str(reason))


@pytest.fixture(params=CALLERS)
def who(request: pytest.FixtureRequest, world: World) -> Who:
    return world.everybody[request.param]


def _keys(rows: list[Row]) -> set[object]:
    return {row.get("id", row.get("meter_id")) for row in rows}


def test_every_table_has_rows_of_both_tenants(world: World) -> None:
    """[REL-189] What is tested below is there to be seen."""
    assert [table for table in TABLES if len(world.rows(table)) < 2] == []


def test_callers_see_their_rows_and_no_others(world: World, who: Who) -> None:
    """[REL-189] [REL-104] [REL-107] [REL-108] [API-209] In each table exactly the rows that the access table admits.

    A lender's token opens no more [REL-32]; a refusal is SQLSTATE 42501, and other rows are just not there [REL-184].
    """
    facts = Facts(world.session, who)
    expected: dict[str, object] = {}
    for table in TABLES:
        admitted = _keys([row for row in world.rows(table) if may(facts, Act.SELECT, table, row)])
        expected[table] = admitted if has_right(facts, Act.SELECT, table) else "refused"
    with world.acting(who):
        assert {table: _seen(world, table) for table in TABLES} == expected


def _seen(world: World, table: str) -> object:
    try:
        with world.session.transaction():
            return _keys(world.rows(table))
    except psycopg.errors.InsufficientPrivilege:
        return "refused"


def test_callers_insert_what_is_theirs_to_insert(world: World, who: Who) -> None:
    """[REL-189] [REL-102] [REL-108] [REL-184] [API-209] A row of either tenant is made or refused as the table says."""
    facts = Facts(world.session, who)
    expected: dict[tuple[str, str], bool] = {}
    found: dict[tuple[str, str], bool] = {}
    for table in TABLES:
        for tenant, ids in world.tenants.items():
            values = {**NEW_ROWS.get(table, {}), **({"author_id": who.account} if table in _SIGNED else {})}
            expected[table, tenant] = table in NEW_ROWS and _may_insert(world, facts, table, values, ids)
            with world.acting(who):
                found[table, tenant] = _inserted(world, table, values, ids)
    assert found == expected
    assert set(NEW_ROWS) == {table for table, rules in RULES.items() if any(Act.INSERT in rule.acts for rule in rules)}


_SIGNED = ("audits",)


def _may_insert(world: World, facts: Facts, table: str, values: Row, ids: Mapping[str, object]) -> bool:
    with world.undone():
        row = world.insert(table, values, ids)
    return may(facts, Act.INSERT, table, row, new=True)


def _inserted(world: World, table: str, values: Row, ids: Mapping[str, object]) -> bool:
    try:
        world.insert_blindly(table, values, ids)
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


def test_callers_update_what_is_theirs_to_update(world: World, who: Who) -> None:
    """[REL-189] [REL-108] [API-209] [API-210] Row by row, with the change that the access table admits."""
    facts = Facts(world.session, who)
    expected: dict[str, object] = {}
    for table in TABLES:
        admitted = [
            row
            for row in world.rows(table)
            if may(facts, Act.SELECT, table, row) and may(facts, Act.UPDATE, table, row)
        ]
        expected[table] = _keys(admitted) if has_right(facts, Act.UPDATE, table) else "refused"
    with world.acting(who):
        assert {table: _updated(world, table) for table in TABLES} == expected


def _updated(world: World, table: str) -> object:
    columns = next((rule.columns for rule in RULES.get(table, ()) if Act.UPDATE in rule.acts and rule.columns), ())
    column, value = CHANGES.get(table, (columns[0] if columns else "created_at",) * 2)
    key = "meter_id" if table == "meter_shadows" else "id"
    if table == "meter_shadows":
        column = value = key
    change = f"update {table} set {column} = {value} returning {key}"
    try:
        with world.session.transaction():
            return {row[key] for row in world.session.execute(sql.SQL(change))}  # type: ignore[arg-type]  # made above
    except psycopg.errors.InsufficientPrivilege:
        return "refused"


def test_callers_delete_connections_and_nothing_else(world: World, who: Who) -> None:
    """[REL-189] [REL-109] Deleting is the platform's, and connections' alone; truncating nobody's."""
    facts = Facts(world.session, who)
    for table in TABLES:
        with world.acting(who), pytest.raises(psycopg.errors.InsufficientPrivilege):
            world.session.execute(sql.SQL("truncate {}").format(sql.Identifier(table)))
        if table == "connections":
            continue
        with world.acting(who), pytest.raises(psycopg.errors.InsufficientPrivilege):
            world.session.execute(sql.SQL("delete from {}").format(sql.Identifier(table)))
    for ids in world.tenants.values():
        with world.acting(who):
            if not has_right(facts, Act.DELETE, "connections"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    world.session.execute("delete from connections")
                continue
            done = world.session.execute("delete from connections where id = %s", [ids["unused_connection"]])
            assert done.rowcount == int(who.is_platform)


@pytest.mark.parametrize("schema", ["internal", "messaging"])
def test_nobody_enters_internal_schemas(world: World, schema: str) -> None:
    """[REL-2] [REL-110] No caller names a table of the product's own, secrets least of all."""
    tables = [table for table in metadata.tables.values() if table.schema == schema]
    for name in ("anonymous", "customer A", "member A", "platform member"):
        for table in tables:
            with world.acting(world.everybody[name]), pytest.raises(psycopg.errors.InsufficientPrivilege):
                world.session.execute(sql.SQL("select from {}").format(sql.Identifier(schema, table.name)))
