"""Row security in single cases: what is limited to a column, a value, a moment; and what it costs."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege
from tests.support.tenant_world import PLATFORM, SUBMISSION, World

from nxt_adapters.supabase.policies import RULES, Act, grants_of
from nxt_adapters.supabase.tables import metadata

MEMBERS = ("member A", "platform member")


@pytest.fixture
def world(relational_url: str) -> Iterator[World]:
    made = World(relational_url)
    yield made
    made.session.close()


def do(world: World, who: str, statement: str, *values: object) -> list[dict[str, object]]:
    """Do one thing as a caller, undo it, and return the rows it gave."""
    with world.acting(world.everybody[who]):
        cursor = world.session.execute(sql.SQL(statement), values)  # type: ignore[arg-type]  # statements of this file
        return cursor.fetchall() if cursor.description else [{}] * cursor.rowcount


def test_what_a_customer_can_not_do(world: World) -> None:
    """[REL-190] Revive an order, look at wallets, others' commands or secrets, touch the feed."""
    own = world.tenants["A"]
    assert do(world, "customer A", "update orders set order_status = 'PENDING'") == []
    assert do(world, "customer A", "select * from wallets") == []
    assert do(world, "customer A", "select * from audits") == []
    seen = do(world, "customer A", "select id from meter_interactions")
    assert seen == [{"id": own["interaction"]}]
    assert do(world, "customer A", "select decoder_key from meters") == [{"decoder_key": None}]
    assert do(world, "customer A", "select epicollect_contract_survey_secret from organizations") == []
    for statement in ("delete from audits", "update audits set message = 'x'"):
        with pytest.raises(InsufficientPrivilege):
            do(world, "customer A", statement)
    for table in ("api_keys", "internal.secrets", "internal.meter_secrets", "internal.secret_inbox"):
        with pytest.raises(InsufficientPrivilege):
            do(world, "customer A", f"select * from {table}")


def test_a_customer_sees_the_orders_of_the_own_time(world: World) -> None:
    """[REL-107] What a former customer paid for the same meter, and what the neighbour pays, stay theirs."""
    own = world.tenants["A"]
    expected = [{"id": own["order"]}, {"id": own["refund"]}]
    assert do(world, "customer A", "select id from orders order by id") == expected


def test_persons_see_their_grid_through_a_view(world: World) -> None:
    """[REL-107] Five columns of the own grid, and nothing of the table."""
    shown = {"id", "name", "timezone", "is_hps_on", "is_fs_on"}
    for who in ("agent A", "customer A"):
        (row,) = do(world, who, "select * from my_grid")
        assert (row["id"], set(row)) == (world.tenants["A"]["grid"], shown)
        assert do(world, who, "select * from grids") == []
    for who in (*MEMBERS, "lender", "nobody"):
        assert do(world, who, "select * from my_grid") == []
    with pytest.raises(InsufficientPrivilege):
        do(world, "anonymous", "select * from my_grid")


def test_a_deleted_person_sees_nothing(world: World) -> None:
    """[REL-107] A token that outlives the account shows none of its rows."""
    for who in ("agent A", "customer A"):
        world.session.execute("update accounts set deleted_at = now() where id = %s", [world.everybody[who].account])
        for table in ("accounts", "agents", "customers", "orders", "meters", "wallets", "my_grid"):
            assert do(world, who, f"select * from {table}") == [], table


@pytest.mark.parametrize("table", ["bank_accounts", "meter_credit_transfers"])
def test_banks_and_credit_transfers_are_closed(world: World, table: str) -> None:
    """[REL-71] Nobody reads them through the gateway, the platform's staff neither."""
    assert len(world.rows(table)) == 2
    for who in world.everybody:
        with pytest.raises(InsufficientPrivilege):
            do(world, who, f"select * from {table}")


def test_a_sold_grid_changes_hands_in_one_step(world: World) -> None:
    """[REL-193] [REL-84] The buyer sees what describes the present, the seller keeps the orders of the past."""
    sold, buyer = world.tenants["A"], world.tenants["B"]
    present = {
        "grids": "grid", "agents": "agent", "customers": "customer", "connections": "connection", "meters": "meter",
        "dcus": "dcu", "mppts": "mppt", "poles": "pole", "devices": "device", "directive_batches": "batch",
        "connection_requested_meters": "requested", "wallets": "meter_wallet", "issues": "issue", "notes": "note",
        "metering_hardware_install_sessions": "session",
    }  # fmt: skip
    past = {"orders": "order", "transactions": "transaction", "meter_interactions": "interaction"}

    def seen_by(who: str, rows: Mapping[str, str]) -> set[str]:
        question = "select from {} where id = %s"
        return {table for table, name in rows.items() if do(world, who, question.format(table), sold[name])}

    assert seen_by("member A", present | past) == set(present | past)
    assert seen_by("member B", present | past) == set()
    world.session.execute("update grids set organization_id = %s where id = %s", [buyer["org"], sold["grid"]])
    assert seen_by("member B", present | past) == set(present)
    assert seen_by("member A", present | past) == set(past)


LIMITED = sorted(
    {(grant.table, grant.act, grant.role) for name in RULES for grant in grants_of(name, RULES[name]) if grant.column}
)


@pytest.mark.parametrize(("table", "act", "role"), LIMITED)
def test_only_named_columns_are_written(world: World, table: str, act: Act, role: str) -> None:
    """[REL-108] [REL-109] [API-210] Where a rule names columns, every other one is refused, whatever the value."""
    held = [grant for grant in grants_of(table, RULES[table]) if (grant.act, grant.role) == (act, role)]
    closed = set(metadata.tables[table].columns.keys()) - {grant.column for grant in held}
    assert closed
    for column in closed:
        statement = f"update {table} set {column} = {column}"
        if act is Act.INSERT:
            statement = f"insert into {table} ({column}) values (null)"
        for who in ("anonymous",) if role == "anon" else MEMBERS:
            with pytest.raises(InsufficientPrivilege, match="permission denied"):
                do(world, who, statement)


def test_orders_are_set_aside_and_nothing_else(world: World) -> None:
    """[REL-108] [REL-79] Platform members write IGNORED, from states that allow it; own members write nothing."""
    order = world.tenants["A"]["order"]
    ignore = "update orders set order_status = %s where id = %s returning order_status"
    assert do(world, "platform member", ignore, "IGNORED", order) == [{"order_status": "IGNORED"}]
    assert do(world, "member A", ignore, "IGNORED", order) == []
    for status in ("PENDING", "CANCELLED", "FAILED"):
        with pytest.raises(InsufficientPrivilege, match="row-level security"):
            do(world, "platform member", ignore, status, order)
    world.session.execute("update orders set order_status = 'PENDING' where id = %s", [order])
    with pytest.raises(psycopg.Error) as caught:
        do(world, "platform member", ignore, "IGNORED", order)
    assert caught.value.sqlstate == "NX010"


def test_a_link_to_a_chat_can_be_cut_and_not_made(world: World) -> None:
    """[REL-108] [API-210] Of accounts `telegram_id` is written, and only with null."""
    agent = world.everybody["agent A"].account
    world.session.execute("update accounts set telegram_id = '77' where id = %s", [agent])
    cut = "update accounts set telegram_id = %s where id = %s"
    for who in MEMBERS:
        assert do(world, who, cut, None, agent) == [{}]
        with pytest.raises(InsufficientPrivilege, match="row-level security"):
            do(world, who, cut, "78", agent)
    for who in ("member B", "agent A", "lender"):
        assert do(world, who, cut, None, agent) == []


def test_reported_values_are_not_the_clients_to_write(world: World) -> None:
    """[REL-108] [REL-102] [REL-141] They are put back without a word; owners follow pointers; the key is a secret."""
    own, other = world.tenants["A"], world.tenants["B"]
    (meter,) = do(
        world,
        "platform member",
        "update meters set is_on = true, power_limit = 7, kwh_credit_available = 9, balance = 9,"
        " voltage = 9, power = 9, last_seen_at = now(), version = '9', rls_organization_id = 2, decoder_key = 'new',"
        " nickname = 'Mill', last_sts_token_issued_at = now() where id = %s returning *",
        own["meter"],
    )
    assert (meter["nickname"], meter["is_on"], meter["rls_organization_id"]) == ("Mill", False, own["org"])
    reported = ("power_limit", "kwh_credit_available", "balance", "voltage", "power", "last_seen_at", "version")
    assert [meter[name] for name in (*reported, "decoder_key", "last_sts_token_issued_at")] == [None] * 9
    (moved,) = do(
        world,
        "platform member",
        "update meters set connection_id = %s, rls_organization_id = 2, rls_grid_id = 1 where id = %s returning *",
        other["unused_connection"],
        own["stock"],
    )
    assert (moved["rls_organization_id"], moved["rls_grid_id"]) == (other["org"], other["grid"])
    (made,) = do(
        world,
        "platform member",
        "insert into meters (external_reference, external_system, is_on, balance) values ('5', 'CALIN', true, 9)"
        " returning is_on, balance",
    )
    assert made == {"is_on": False, "balance": None}
    (grid,) = do(
        world,
        "platform member",
        "update grids set is_hps_on = true, is_fs_on = true, should_fs_be_on = true, kwh_tariff = 5 where id = %s"
        " returning is_hps_on, is_fs_on, should_fs_be_on, kwh_tariff",
        own["grid"],
    )
    assert grid == {"is_hps_on": False, "is_fs_on": False, "should_fs_be_on": False, "kwh_tariff": 5}
    (note,) = do(
        world,
        "member A",
        "update notes set message = 'x', rls_organization_id = %s where id = %s returning *",
        other["org"],
        own["note"],
    )
    assert (note["message"], note["rls_organization_id"]) == ("x", own["org"])


@pytest.mark.parametrize("role", ["nxt_app", "service_role"])
def test_the_product_writes_what_clients_may_not(world: World, role: str) -> None:
    """[REL-111] Its own roles report values, whatever clients may."""
    with world.undone():
        world.session.execute(f"set local role {role}")
        meter = world.tenants["A"]["meter"]
        row = world.session.execute("update meters set is_on = true where id = %s returning is_on", [meter]).fetchone()
        assert row == {"is_on": True}


def test_notes_keep_their_author_and_their_tenant(world: World) -> None:
    """[REL-108] Only the author changes a note, and can neither give it away nor move it to another tenant."""
    own, other = world.tenants["A"], world.tenants["B"]
    change = "update notes set {} = %s where id = %s"
    assert do(world, "member A", change.format("message"), "x", own["note"]) == [{}]
    assert do(world, "member A", change.format("message"), "x", own["agents_note"]) == []
    assert do(world, "platform member", change.format("message"), "x", own["note"]) == []
    for column, value in (("author_id", own["agent_account"]), ("customer_id", other["customer"])):
        with pytest.raises(InsufficientPrivilege, match="row-level security"):
            do(world, "member A", change.format(column), value, own["note"])
    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        do(world, "platform member", "update notes set author_id = %s where message = 'Visited'", own["agent_account"])


def test_wallets_come_empty_and_owned(world: World) -> None:
    """[REL-108] [REL-24] A platform member makes an owner's wallet; no balance, and no second system wallet."""
    make = "insert into wallets (customer_id) values (%s) returning balance"
    assert do(world, "platform member", make, world.tenants["A"]["neighbour"]) == [{"balance": 0}]
    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        do(world, "platform member", "insert into wallets (identifier) values ('SECOND_SYSTEM')")
    with pytest.raises(psycopg.Error) as caught:
        do(world, "platform member", "insert into wallets (customer_id, balance) values (%s, 5)", 1)
    assert caught.value.sqlstate == "NX011"


def test_the_feed_is_written_in_ones_own_name(world: World) -> None:
    """[REL-108] [API-210] A member signs, for the own organization; nobody rewrites."""
    own, other = world.tenants["A"], world.tenants["B"]
    write = "insert into audits (message, author_id, organization_id) values ('Did it', %s, %s)"
    assert do(world, "member A", write, own["member_account"], own["org"]) == [{}]
    assert do(world, "member A", write, own["member_account"], None) == [{}]
    for author, organization in ((other["member_account"], own["org"]), (None, own["org"])):
        with pytest.raises(InsufficientPrivilege):
            do(world, "member A", write, author, organization)
    with pytest.raises(InsufficientPrivilege):
        do(world, "member A", write, own["member_account"], other["org"])
    with pytest.raises(InsufficientPrivilege):
        do(world, "agent A", write, own["agent_account"], own["org"])
    for who in MEMBERS:
        for statement in ("update audits set message = 'x'", "delete from audits"):
            with pytest.raises(InsufficientPrivilege):
                do(world, who, statement)


def test_anybody_proposes_a_site(world: World) -> None:
    """[REL-108] The form's columns are written, the insert returns its row, and no other one is seen."""
    form = "insert into pd_site_submissions ({}) values ({}) returning *".format(
        ", ".join(SUBMISSION), ", ".join(["%s"] * len(SUBMISSION))
    )
    values = [json.dumps(value) if isinstance(value, dict) else value for value in SUBMISSION.values()]
    (row,) = do(world, "anonymous", form, *values)
    assert (row["site_name"], row["organization_id"]) == ("Oke Agbede", None)
    assert do(world, "anonymous", "select * from pd_site_submissions") == []
    with world.acting(world.everybody["anonymous"]):
        world.session.execute(sql.SQL(form), values)
        assert len(world.rows("pd_site_submissions")) == 1
    with pytest.raises(InsufficientPrivilege):
        do(world, "anonymous", "update pd_site_submissions set site_name = 'x'")
    for who in ("member A", "customer A", "nobody"):
        with pytest.raises(InsufficientPrivilege):
            do(world, who, form, *values)


def test_the_wider_right_of_the_page_works(world: World) -> None:
    """[REL-108] [API-210] A deployment may let members cancel their orders by hand: the page says how."""
    page = (Path(__file__).parents[3] / "docs/data-plane.md").read_text()
    (snippet,) = (block.split("```")[0] for block in page.split("```sql\n")[1:] if "create policy" in block)
    world.session.execute(sql.SQL(snippet))  # type: ignore[arg-type]  # of the page
    cancel = "update orders set order_status = %s where id = %s returning order_status"
    order, foreign = world.tenants["A"]["order"], world.tenants["B"]["order"]
    assert do(world, "member A", cancel, "CANCELLED", order) == [{"order_status": "CANCELLED"}]
    assert do(world, "member A", cancel, "CANCELLED", foreign) == []
    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        do(world, "member A", cancel, "FAILED", order)


def test_a_role_that_inherits_clients_inherits_their_limits(world: World) -> None:
    """[REL-108] Row security makes a caller a client, not the name of the role."""
    role = sql.Identifier(f"nxt_test_client_{secrets.token_hex(4)}")
    meter = world.tenants["A"]["meter"]
    change = "update meters set is_on = true, nickname = 'Mill' where id = %s returning is_on, nickname"
    with world.undone():
        world.session.execute(sql.SQL("create role {} in role authenticated").format(role))
        claims = world.everybody["platform member"].claims(PLATFORM)
        world.session.execute("select set_config('request.jwt.claims', %s, true)", [claims])
        world.session.execute(sql.SQL("set local role {}").format(role))
        assert world.session.execute(change, [meter]).fetchone() == {"is_on": False, "nickname": "Mill"}


def test_clients_hold_no_sequence(world: World) -> None:
    """[REL-109] Keys are given to rows, not to callers."""
    found = world.session.execute(
        "select c.relname from pg_class c cross join unnest(array['anon', 'authenticated']) as r (role)"
        " where c.relkind = 'S' and has_sequence_privilege(r.role, c.oid, 'usage, select, update')"
    )
    assert found.fetchall() == []
