"""What the database refuses by itself, with the states that the table gateway turns into answers."""

from __future__ import annotations

import psycopg
import pytest
from tests.support.tenant_world import POINT, World


def test_an_unknown_word_of_an_enumeration_is_no_value(world: World) -> None:
    """[REL-20] SQLSTATE 22P02, which is a bad request."""
    with pytest.raises(psycopg.errors.InvalidTextRepresentation) as refused:
        world.session.execute("update meters set meter_type = 'XXL'")
    assert refused.value.sqlstate == "22P02"


def test_a_name_is_of_one_undeleted_grid(world: World) -> None:
    """[REL-40] Over all organizations, whatever its case and the blanks around it; a deleted grid gives it back."""
    named = {"name": " GRID 1 ", "organization_id": "$org"}
    with pytest.raises(psycopg.errors.UniqueViolation), world.session.transaction():
        world.insert("grids", named, world.tenants["B"])
    world.session.execute("update grids set deleted_at = now() where name = 'Grid 1'")
    world.insert("grids", named, world.tenants["B"])


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("meters", {"external_reference": "4700177147{n}"}),
        ("dcus", {"external_reference": "a84041ffff{n}", "communication_protocol": "CALIN_V1", "grid_id": "$grid"}),
    ],
)
def test_a_reference_counts_within_its_system(world: World, table: str, values: dict[str, object]) -> None:
    """[REL-9] Two outside systems may use the same one."""
    world.insert(table, {**values, "external_system": "STEAMACO"}, world.tenants["A"])
    with pytest.raises(psycopg.errors.UniqueViolation):
        world.insert(table, {**values, "external_system": "CALIN"}, world.tenants["A"])


def test_a_meter_comes_without_wallet(world: World) -> None:
    """[REL-25] Dashboards insert the meter and then its wallet: nothing may have made one before them."""
    ids = world.tenants["A"]
    made = world.insert("meters", {"external_reference": "47001771500", "external_system": "CALIN"}, ids)
    wallet = world.insert("wallets", {"meter_id": made["key"]}, ids)
    assert (wallet["wallet_type"], wallet["balance"]) == ("REAL", 0)
    with pytest.raises(psycopg.errors.UniqueViolation):
        world.insert("wallets", {"meter_id": made["key"]}, ids)


def test_phones_of_accounts_have_no_plus(world: World) -> None:
    """[REL-29]"""
    world.insert("accounts", {"phone": "2348030000099"}, {})
    with pytest.raises(psycopg.errors.CheckViolation):
        world.insert("accounts", {"phone": "+2348030000098"}, {})


def test_an_interaction_knows_where_it_came_from(world: World) -> None:
    """[REL-162] It is its meter's owner's, waits in the middle of the queue, and names one of eight origins."""
    ids = world.tenants["A"]
    command = {"meter_id": "$meter", "meter_interaction_type": "READ_CREDIT"}
    with pytest.raises(psycopg.errors.NotNullViolation), world.session.transaction():
        world.insert("meter_interactions", command, ids)
    with pytest.raises(psycopg.errors.CheckViolation), world.session.transaction():
        world.insert("meter_interactions", {**command, "origin": "SOMEWHERE"}, ids)
    made = world.insert("meter_interactions", {**command, "origin": "RECONCILER"}, ids)
    assert (made["rls_organization_id"], made["priority"], made["attempts"]) == (ids["org"], 10, 0)


def test_a_tag_is_on_one_pole_alone(world: World) -> None:
    """[REL-43] Also over grids: a unique violation, which is a conflict."""
    pole = {"external_reference": "101", "grid_id": "$grid", "location_geom": POINT}
    with pytest.raises(psycopg.errors.UniqueViolation):
        world.insert("poles", pole, world.tenants["B"])


def test_a_period_is_paid_out_once(world: World) -> None:
    """[REL-69] Unless the first attempt failed."""
    payout = {
        "proposed_amount": 5, "payout_status": "WAITING_FOR_APPROVAL", "grid_id": "$grid",
        "started_at": "2026-05-01Z", "ended_at": "2026-06-01Z",
    }  # fmt: skip
    with pytest.raises(psycopg.errors.UniqueViolation), world.session.transaction():
        world.insert("payouts", payout, world.tenants["A"])
    world.session.execute("update payouts set payout_status = 'FAILED'")
    world.insert("payouts", payout, world.tenants["A"])


def test_a_meter_has_one_open_issue(world: World) -> None:
    """[REL-74] The second must override or close the first."""
    issue = {"meter_id": "$meter", "issue_type": "TAMPER"}
    with pytest.raises(psycopg.errors.UniqueViolation), world.session.transaction():
        world.insert("issues", issue, world.tenants["A"])
    world.session.execute("update issues set issue_status = 'OVERRIDDEN', closed_at = now()")
    world.insert("issues", issue, world.tenants["A"])


def test_an_interaction_has_one_reason(world: World) -> None:
    """[REL-55] Order, run or commissioning, and never two of them."""
    command = {
        "meter_id": "$meter", "meter_interaction_type": "READ_CREDIT", "origin": "BATCH",
        "batch_execution_id": "$execution",
    }  # fmt: skip
    world.insert("meter_interactions", command, world.tenants["A"])
    with pytest.raises(psycopg.errors.CheckViolation):
        world.insert("meter_interactions", {**command, "meter_commissioning_id": "$commissioning"}, world.tenants["A"])


def test_hardware_has_one_unfinished_job(world: World) -> None:
    """[REL-165] A second one waits for the end of the first."""
    job = {"kind": "REGISTER_METER", "protocol": "CALIN_V1", "external_reference": "47001771471"}
    statement = (
        "insert into internal.provisioning_jobs (kind, protocol, external_reference)"
        " values (%(kind)s, %(protocol)s, %(external_reference)s)"
    )
    world.session.execute(statement, job)
    with pytest.raises(psycopg.errors.UniqueViolation), world.session.transaction():
        world.session.execute(statement, job)
    world.session.execute("update internal.provisioning_jobs set status = 'SUCCEEDED'")
    world.session.execute(statement, job)


def test_a_newer_forecast_replaces_the_older(world: World) -> None:
    """[REL-75] [REL-138] One row for a request; its key is compared to three decimals."""
    world.session.execute("delete from solcast_cache where capacity_kwp <> 1")
    upsert = """
        insert into solcast_cache
            (request_type, latitude, longitude, tilt, azimuth, capacity_kwp, install_date, response)
        values ('FORECAST', 7.1, 4.1, 12, 180, 1.0004, '2026-01-01', '[1]')
        on conflict (request_type, latitude, longitude, tilt, azimuth, capacity_kwp, install_date)
        do update set response = excluded.response, created_at = now()
    """
    world.session.execute(upsert)
    assert world.session.execute("select response from solcast_cache").fetchall() == [{"response": "[1]"}]


def test_a_deleted_session_takes_its_hops_along(world: World) -> None:
    """[REL-16] [REL-72] Nothing else goes with anything."""
    world.session.execute("delete from ussd_sessions")
    assert world.session.execute("select from ussd_session_hops").fetchall() == []
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        world.session.execute("delete from devices")


def test_the_feed_has_eleven_tables_and_old_keys(world: World) -> None:
    """[REL-112] Every kind of change; of an old row the primary key alone."""
    rows = world.session.execute(
        "select tablename::text as name from pg_publication_tables where pubname = 'supabase_realtime' order by 1"
    )
    assert [row["name"] for row in rows] == [
        "customers", "dcus", "device_logs", "devices", "grids", "meter_commissionings", "meter_interactions",
        "metering_hardware_imports", "meters", "orders", "wallets",
    ]  # fmt: skip
    kinds = world.session.execute(
        "select pubinsert and pubupdate and pubdelete as all, ("
        " select bool_and(relreplident = 'd') from pg_class c join pg_publication_rel r on r.prrelid = c.oid) as keys"
        " from pg_publication where pubname = 'supabase_realtime'"
    ).fetchone()
    assert kinds == {"all": True, "keys": True}


def test_survey_credentials_are_taken_and_never_kept(world: World) -> None:
    """[REL-141] [R15] Both columns read null; an empty text asks for the secret's end, null for nothing."""
    ids = world.tenants["A"]
    world.session.execute("delete from internal.secret_inbox")
    secret, client = "epicollect_contract_survey_secret", "epicollect_contract_survey_client_id"
    for change in (f"{secret} = 's3cret', {client} = 'c1'", f"{secret} = '', formal_name = 'x'", f"{client} = null"):
        world.session.execute(f"update organizations set {change} where id = %s", [ids["org"]])  # type: ignore[arg-type]  # changes of this test
    kept = world.session.execute(f"select {secret}, {client} from organizations where id = %s", [ids["org"]])  # type: ignore[arg-type]  # as above
    assert kept.fetchall() == [{secret: None, client: None}]
    taken = world.session.execute(
        "select purpose, owner_type, owner_id, plaintext from internal.secret_inbox order by id"
    )
    assert [tuple(row.values()) for row in taken] == [
        ("SURVEY_CLIENT_SECRET", "organization", ids["org"], "s3cret"),
        ("SURVEY_CLIENT_ID", "organization", ids["org"], "c1"),
        ("SURVEY_CLIENT_SECRET", "organization", ids["org"], ""),
    ]
