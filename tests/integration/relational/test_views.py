"""Views that clients read: columns, mappings, and whose rights they run with."""

from __future__ import annotations

import pytest
from tests.support.tenant_world import Row, World


def _put_in_a_batch(world: World, ids: Row) -> None:
    statement = "update meter_interactions set batch_execution_id = %s where id = %s"
    world.do(statement, ids["execution"], ids["interaction"])


VIEWS = ("agents_with_account", "customers_with_account", "meters_with_account_and_statuses", "batch_commands")


@pytest.mark.parametrize("view", VIEWS)
def test_row_security_of_the_tables_below_applies(world: World, view: str) -> None:
    """[REL-85] [API-211] Each tenant sees its own rows, the platform all, a person of no organization none."""
    for ids in world.tenants.values():
        _put_in_a_batch(world, ids)
        world.do("update accounts set organization_id = %s where id = %s", ids["org"], ids["neighbour_account"])
    counts = {}
    for name in ("member A", "member B", "platform member", "nobody"):
        with world.acting(world.everybody[name]):
            counts[name] = len(world.query(f"select * from {view}"))
    assert counts["member A"] == counts["member B"] > 0
    assert counts["platform member"] == counts["member A"] + counts["member B"]
    assert counts["nobody"] == 0


def test_agents_have_name_phone_and_deletion_of_their_account(world: World) -> None:
    """[REL-86] [R58] In the known order of columns."""
    ids = world.tenants["A"]
    world.do("update accounts set full_name = 'Sales', phone = '2348012345678' where id = %s", ids["agent_account"])
    row = world.query("select * from agents_with_account where id = %s", ids["agent"])[0]
    assert list(row) == ["id", "created_at", "grid_id", "account_id", "full_name", "phone", "deleted_at"]
    assert (row["full_name"], row["phone"], row["deleted_at"]) == ("Sales", "2348012345678", None)


def test_customers_have_fees_and_the_numbers_of_their_meters(world: World) -> None:
    """[REL-87] Paid is at least the fee, 0 of 0 too; meters of all connections, deleted ones too; null for none."""
    ids = world.tenants["A"]
    world.do(
        "insert into meters (external_reference, external_system, connection_id, deleted_at)"
        " values ('47001770001', 'CALIN', %s, now())",
        ids["unused_connection"],
    )
    query = "select has_fully_paid_connection_fees as paid, meter from customers_with_account where id = %s"
    assert world.query(query, ids["customer"]) == [{"paid": True, "meter": "47001771471, 47001770001"}]
    world.do("update customers set total_connection_fee = 5 where id = %s", ids["customer"])
    assert world.query(query, ids["customer"])[0]["paid"] is False
    world.do("update customers set total_connection_paid = 5 where id = %s", ids["customer"])
    assert world.query(query, ids["customer"])[0]["paid"] is True
    world.do("update meters set connection_id = null where id = %s", ids["next_meter"])
    assert world.query(query, ids["neighbour"])[0]["meter"] is None


def test_the_technicians_app_filters_customers_by_index(world: World) -> None:
    """[REL-118] The customers of one grid are read without walking through those of others."""
    world.do("set local enable_seqscan = off")
    query = "explain select id, full_name from customers_with_account where grid_id = 1 and deleted_at is null"
    assert any("Index Cond: (grid_id = 1)" in str(row) for row in world.query(query))


@pytest.mark.parametrize(
    ("imported", "commissioned", "status"),
    [
        (None, None, None),
        ("PENDING", None, "PENDING"),
        ("SUCCESSFUL", "PENDING", "PENDING"),
        ("PENDING", "SUCCESSFUL", "PENDING"),
        ("PROCESSING", "SUCCESSFUL", "PROCESSING"),
        ("SUCCESSFUL", "PROCESSING", "PROCESSING"),
        ("FAILED", "PROCESSING", "PROCESSING"),
        ("FAILED", "SUCCESSFUL", "SUCCESSFUL"),
        (None, "SUCCESSFUL", "SUCCESSFUL"),
        ("FAILED", None, "FAILED"),
        ("SUCCESSFUL", "FAILED", "FAILED"),
        ("SUCCESSFUL", None, "FAILED"),
    ],
)
def test_install_status_is_the_first_rule_that_holds(
    world: World, imported: str | None, commissioned: str | None, status: str | None
) -> None:
    """[REL-89] By the last import and the last commissioning of the meter's last session."""
    ids = world.tenants["A"]
    query = "select install_status::text as it from meters_with_account_and_statuses where id = %s"
    assert world.query(query, ids["meter"]) == [{"it": "SUCCESSFUL"}], "a meter without session"
    world.do(
        "update metering_hardware_imports set metering_hardware_import_status ="
        " coalesce(%s, 'FAILED')::mhi_status_enum",
        imported,
    )
    world.do(
        "update meter_commissionings set meter_commissioning_status ="
        " coalesce(%s, 'FAILED')::meter_commissioning_status_enum",
        commissioned,
    )
    world.do(
        "update metering_hardware_install_sessions set last_metering_hardware_import_id = %s,"
        " last_meter_commissioning_id = %s where id = %s",
        imported and ids["import"],
        commissioned and ids["commissioning"],
        ids["session"],
    )
    world.do(
        "update meters set last_metering_hardware_install_session_id = %s where id = %s",
        ids["session"],
        ids["meter"],
    )
    assert world.query(query, ids["meter"]) == [{"it": status}]


def test_only_an_open_issue_is_shown(world: World) -> None:
    """[REL-90] The last encountered issue, while it is open."""
    ids = world.tenants["A"]
    query = "select open_issue::text as it from meters_with_account_and_statuses where id = %s"
    assert world.query(query, ids["meter"]) == [{"it": None}]
    world.do("update meters set last_encountered_issue_id = %s where id = %s", ids["issue"], ids["meter"])
    assert world.query(query, ids["meter"]) == [{"it": "NO_CREDIT"}]
    world.do("update issues set issue_status = 'CLOSED', closed_at = now() where id = %s", ids["issue"])
    assert world.query(query, ids["meter"]) == [{"it": None}]


def test_assigned_meters_come_with_their_customer_and_without_secrets(world: World) -> None:
    """[REL-88] [REL-110] No meter in stock; every column of meters but two; four are always null."""
    ids = world.tenants["A"]
    world.do(
        "update meters set watchdog_session = 'x', issue_check_execution_session = 'x' where id = %s",
        ids["meter"],
    )
    rows = world.query("select * from meters_with_account_and_statuses order by id")
    assert {row["id"] for row in rows} == {t[name] for t in world.tenants.values() for name in ("meter", "next_meter")}
    row = next(row for row in rows if row["id"] == ids["meter"])
    gone = {"connection_metrics", "pulse_counter_kwh_updated_at"}
    columns = list(world.query("select * from meters limit 1")[0])
    added = ["grid_id", "is_hidden_from_reporting", "full_name", "phone", "install_status", "open_issue"]
    assert list(row) == [name for name in columns if name not in gone] + added
    null = ("decoder_key", "watchdog_session", "watchdog_last_run_at", "issue_check_execution_session")
    assert [row[name] for name in null] == [None] * 4
    assert row["grid_id"] == ids["grid"]


TYPES = {
    "READ_CREDIT": "READ_CURRENT_CREDIT", "READ_POWER_LIMIT": "PLR", "SET_POWER_LIMIT": "PLS", "TURN_ON": "ON",
    "TURN_OFF": "OFF", "DELIVER_PREEXISTING_TOKEN": "SEND_TOKEN", "READ_VERSION": "READ_METER_VERSION",
    "SET_DATE": "WRITE_DATE", "SET_TIME": "WRITE_TIME", "TOP_UP": "TOP_UP", "CLEAR_TAMPER": "CLEAR_TAMPER",
    "READ_VOLTAGE": "READ_VOLTAGE",
}  # fmt: skip
STATUSES = {
    "DEFERRED": "INITIALISED", "QUEUED": "PENDING", "SUSPENDED": "PENDING", "PROCESSING": "SENT_TO_METER",
    "SUCCESSFUL": "SUCCESSFUL", "FAILED": "FAILED", "ABORTED": "CANCELLED",
}  # fmt: skip


def test_commands_have_their_former_names(world: World) -> None:
    """[REL-125] [REL-127] Types and states as text; reports of meters themselves are no commands."""
    ids = world.tenants["A"]
    world.do("delete from meter_interactions")
    for name in (*TYPES, "READ_REPORT", "JOIN_NETWORK"):
        world.do(
            "insert into meter_interactions (meter_id, meter_interaction_type, origin, transactive_kwh,"
            " target_power_limit, token, batch_execution_id) values (%s, %s, 'USER', 1, 0, repeat('1', 20), %s)",
            ids["meter"],
            name,
            ids["execution"],
        )
    found = {row["directive_type"] for row in world.query("select directive_type from compat.directives")}
    assert found == set(TYPES.values())
    for status, former in STATUSES.items():
        world.do("update meter_interactions set meter_interaction_status = %s", status)
        rows = world.query("select directive_status, directive_error from batch_commands")
        assert rows == [{"directive_status": former, "directive_error": None}] * len(TYPES)


def test_commands_of_a_batch_come_with_meter_pole_and_gateway(world: World) -> None:
    """[REL-91] [REL-127] Only those of an execution, with the known columns."""
    ids = world.tenants["A"]
    assert world.query("select * from batch_commands") == []
    _put_in_a_batch(world, ids)
    world.do("update meters set pole_id = %s, latitude = 8, longitude = 4 where id = %s", ids["pole"], ids["meter"])
    (row,) = world.query("select * from batch_commands")
    assert list(row) == [
        "id", "directive_type", "directive_status", "created_at", "meter_id", "directive_batch_execution_id",
        "directive_error", "meter_external_reference", "meter_type", "latitude", "longitude", "location_geom", "dcu_id",
        "dcu_external_reference",
    ]  # fmt: skip
    assert (row["meter_external_reference"], row["dcu_external_reference"]) == ("47001771471", "a84041ffff1")
    assert (row["directive_batch_execution_id"], row["location_geom"]["type"]) == (ids["execution"], "Point")  # type: ignore[index]  # GeoJSON


@pytest.mark.parametrize("table", ["orders", "meters", "grids", "wallets", "transactions"])
def test_sql_readers_get_floats(world: World, table: str) -> None:
    """[REL-126] [REL-18] Every column of the table, its decimals as double precision, the rest as it is."""
    query = (
        "select column_name, data_type from information_schema.columns"
        " where table_schema = %s and table_name = %s order by ordinal_position"
    )
    original = [(row["column_name"], row["data_type"]) for row in world.query(query, "public", table)]
    repeated = [(row["column_name"], row["data_type"]) for row in world.query(query, "compat", table)]
    assert repeated == [(name, "double precision" if kind == "numeric" else kind) for name, kind in original]
    assert "numeric" in dict(original).values()


def test_floats_are_read_with_the_callers_rights(world: World) -> None:
    """[REL-126] [REL-85] A reader that is let into the schema sees what row security lets it see."""
    world.do("grant usage on schema compat to authenticated; grant select on compat.orders to authenticated")
    with world.acting(world.everybody["member A"]):
        owners = {row["rls_organization_id"] for row in world.query("select * from compat.orders")}
    assert owners == {world.tenants["A"]["org"]}
