"""What the database itself refuses, whoever writes."""

from __future__ import annotations

import psycopg
import pytest
from tests.support.ledger import MANUAL, connect, entry, make_wallets, post

from nxt_entrypoints.database.baseline_seed import Baseline, seed

Session = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def owner(relational_url: str) -> Session:
    """The login that owns the database, with a funded wallet in it."""
    seed(relational_url, Baseline())
    connection = connect(relational_url, role=None)
    make_wallets(connection, 2, opening="10")
    return connection


def one(connection: Session, statement: str, *values: object) -> object:
    row = connection.execute(statement, values).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    "statement",
    [
        "update internal.ledger_entries set memo = 'other'",
        "delete from internal.ledger_entries",
        "truncate internal.ledger_entries cascade",
        "update internal.ledger_postings set amount = amount * 2",
        "delete from internal.ledger_postings",
        "truncate internal.ledger_postings",
        "update meter_state_events set event = 'x'",
        "truncate meter_state_events",
        "delete from internal.audit_log",
        "truncate internal.audit_log",
    ],
)
def test_evidence_is_append_only(owner: Session, statement: str) -> None:
    """[PAY-26] [REL-146] [REL-160] [REL-167] Not even the owner changes what was written."""
    _some_history(owner)
    with pytest.raises(psycopg.Error, match="append-only") as caught:
        owner.execute(statement)
    assert caught.value.sqlstate == "NX012"


def test_the_audit_chain_is_written_once(owner: Session) -> None:
    """[REL-167] A step of its own adds the hashes; nothing else of the row, and no hash twice."""
    _some_history(owner)
    owner.execute("set role nxt_app")
    with pytest.raises(psycopg.Error, match="append-only"):
        owner.execute("update internal.audit_log set action = 'other', hash = 'x'")
    owner.execute("update internal.audit_log set prev_hash = 'a', hash = 'b'")
    with pytest.raises(psycopg.Error, match="append-only"):
        owner.execute("update internal.audit_log set hash = 'c'")


def _some_history(owner: Session) -> None:
    owner.execute("insert into internal.audit_log (actor_type, action) values ('JOB', 'test.run')")
    meter = one(
        owner, "insert into meters (external_reference, external_system) values ('47001771477', 'CALIN') returning id"
    )
    owner.execute("insert into meter_state_events (meter_id, event, actor) values (%s, 'X', 'SYSTEM')", [meter])


@pytest.mark.parametrize("role", ["nxt_app", "service_role", None])
def test_balances_move_with_postings_alone(owner: Session, role: str | None) -> None:
    """[PAY-21] [R14] No role writes a balance, not the application, not the owner; not at the birth of a wallet."""
    if role:
        owner.execute(f"set role {role}")
    for statement in (
        "update wallets set balance = balance + 1 where identifier is null",
        "insert into wallets (identifier, balance) values ('OTHER', 5)",
    ):
        with pytest.raises(psycopg.Error, match="written by the ledger alone") as caught:
            owner.execute(statement)
        assert caught.value.sqlstate == "NX011"
    owner.execute("update wallets set balance = balance, wallet_type = 'VIRTUAL' where identifier is null")


def test_unbalanced_entries_fail_at_commit(owner: Session) -> None:
    """[REL-146] [PAY-25] An entry written past the routine is judged at commit: no postings, one, or a wrong sum."""
    statement = (
        "insert into internal.ledger_entries (entry_type, idempotency_key, memo) values ('ADJUSTMENT', %s, 'x')"
        " returning id"
    )
    posting = (
        "insert into internal.ledger_postings (entry_id, account_id, amount)"
        " select %s, id, %s from internal.ledger_accounts where code = %s"
    )
    for number, amounts in enumerate(([], [("5", MANUAL)], [("5", MANUAL), ("-4", "external:gateway:platform")])):
        owner.execute("begin")
        made = one(owner, statement, f"k{number}")
        for amount, code in amounts:
            owner.execute(posting, [made, amount, code])
        with pytest.raises(psycopg.Error, match="LEDGER_UNBALANCED"):
            owner.execute("commit")
    with owner.transaction():
        made = one(owner, statement, "sound")
        owner.execute(posting, [made, "5", MANUAL])
        owner.execute(posting, [made, "-5", "external:gateway:platform"])
    with pytest.raises(psycopg.Error, match="LEDGER_UNBALANCED"), owner.transaction():
        owner.execute(posting, [made, "1", MANUAL])


def test_system_accounts_open_on_demand(owner: Session) -> None:
    """[PAY-24] Accounts of merchants, grids and developers come into being by their code, and by no other."""
    owner.execute("set role nxt_app")
    organization = one(owner, "insert into organizations (name) values ('Village power') returning id")
    code = f"external:gateway:org:{organization}"
    account = one(owner, "select internal.ensure_ledger_account(%s)", code)
    assert one(owner, "select internal.ensure_ledger_account(%s)", code) == account
    assert one(owner, "select organization_id from internal.ledger_accounts where id = %s", account) == organization
    payable = one(owner, "select internal.ensure_ledger_account(%s)", f"payable:developer:{organization}:EUR")
    assert one(owner, "select currency::text from internal.ledger_accounts where id = %s", payable) == "EUR"
    for unknown in ("wallet:999", "income:other", "external:gateway:org:x", "external:gateway:org:424242"):
        with pytest.raises(psycopg.Error):
            owner.execute("select internal.ensure_ledger_account(%s)", [unknown])


STATES = ("INITIALISED", "PENDING", "COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT", "IGNORED")
ALLOWED = {
    "INITIALISED": {"PENDING", "FAILED", "CANCELLED", "TIMED_OUT", "IGNORED"},
    "TIMED_OUT": {"PENDING", "FAILED", "IGNORED"},
    "CANCELLED": {"PENDING", "FAILED", "IGNORED"},
    "PENDING": {"COMPLETED", "FAILED"},
    "FAILED": {"IGNORED"},
    "COMPLETED": set(),
    "IGNORED": set(),
}
ROUTE = {
    "INITIALISED": (),
    "PENDING": ("PENDING",),
    "COMPLETED": ("PENDING", "COMPLETED"),
    "FAILED": ("FAILED",),
    "CANCELLED": ("CANCELLED",),
    "TIMED_OUT": ("TIMED_OUT",),
    "IGNORED": ("IGNORED",),
}


def _order(owner: Session, status: str = "INITIALISED") -> object:
    return one(
        owner,
        "insert into orders (amount, currency, sender_wallet_id, receiver_wallet_id, order_status)"
        " select 10, 'NGN', min(id), max(id), %s::order_status_enum from wallets where identifier is null returning id",
        status,
    )


@pytest.mark.parametrize("state", STATES)
def test_orders_move_by_the_table_of_transitions(owner: Session, state: str) -> None:
    """[REL-80] [PAY-44] [PAY-46] Each of the 42 moves is allowed or refused as the table says."""
    for target in STATES:
        order = _order(owner)
        for step in ROUTE[state]:
            owner.execute(
                "update orders set order_status = %s, failure_code = 'AMOUNT_MISMATCH' where id = %s", [step, order]
            )
        move = "update orders set order_status = %s where id = %s"
        if target in ALLOWED[state] or target == state:
            owner.execute(move, [target, order])
        else:
            with pytest.raises(psycopg.Error, match="can not go from") as caught:
                owner.execute(move, [target, order])
            assert caught.value.sqlstate == "NX010"


@pytest.mark.parametrize(
    ("code", "allowed"),
    [("GATEWAY_REJECTED", True), ("CHARGE_NOT_CREATED", True), ("INSUFFICIENT_BALANCE", False), (None, False)],
)
def test_late_money_revives_only_what_the_gateway_refused(owner: Session, code: str | None, allowed: bool) -> None:
    """[PAY-45] [REL-79] FAILED goes back to PENDING only where the gateway caused it."""
    order = _order(owner)
    owner.execute("update orders set order_status = 'FAILED', failure_code = %s where id = %s", [code, order])
    move = "update orders set order_status = 'PENDING', failure_code = null where id = %s"
    if allowed:
        owner.execute(move, [order])
    else:
        with pytest.raises(psycopg.Error, match="can not go from FAILED"):
            owner.execute(move, [order])


@pytest.mark.parametrize("status", [s for s in STATES if s not in {"INITIALISED", "PENDING"}])
def test_orders_are_born_waiting(owner: Session, status: str) -> None:
    """[REL-79] An order is created INITIALISED or PENDING."""
    with pytest.raises(psycopg.Error, match="can not go from nothing"):
        _order(owner, status)


def test_updated_at_never_lags(owner: Session) -> None:
    """[REL-12] The trigger sets it where the statement did not; a value that was given stays."""
    order = _order(owner)
    owner.execute("update orders set updated_at = '2020-01-01Z' where id = %s", [order])
    assert one(owner, "select updated_at = '2020-01-01Z' from orders where id = %s", order) is True
    owner.execute("update orders set tariff = 265 where id = %s", [order])
    assert one(owner, "select updated_at > now() - interval '1 minute' from orders where id = %s", order) is True


def test_a_settlement_is_unique_to_its_order(owner: Session) -> None:
    """[PAY-31] At most one settlement entry per order, whatever its key."""
    order = _order(owner)
    codes = [row[0] for row in owner.execute("select code from internal.ledger_accounts where code like 'wallet:%'")]
    facts = {"entry_type": "ORDER_SETTLEMENT", "order_id": order}
    post(owner, [entry("k1", (codes[0], "1"), (MANUAL, "-1"), **facts)])
    with pytest.raises(psycopg.errors.UniqueViolation):
        post(owner, [entry("k2", (codes[0], "1"), (MANUAL, "-1"), **facts)])


def test_secrets_leave_the_columns_that_clients_read(owner: Session) -> None:
    """[REL-141] [R15] A written key goes to the inbox and reads null; empty asks for deletion; null changes nothing."""
    owner.execute("set role service_role")
    meter = one(
        owner,
        "insert into meters (external_reference, external_system, decoder_key) values ('47001771477', 'CALIN', 'k1')"
        " returning id",
    )
    owner.execute("update meters set decoder_key = '' where id = %s", [meter])
    owner.execute("update meters set decoder_key = null, nickname = 'x' where id = %s", [meter])
    assert one(owner, "select count(*) from meters where decoder_key is not null") == 0
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute("select * from internal.secret_inbox")
    owner.execute("reset role")
    rows = owner.execute("select purpose, owner_id, plaintext from internal.secret_inbox order by id").fetchall()
    assert rows == [("METER_DECODER_KEY", meter, "k1"), ("METER_DECODER_KEY", meter, "")]


def test_grids_have_known_zones(owner: Session) -> None:
    """[REL-137] A zone that doesn't exist is refused."""
    grid = "insert into grids (name, organization_id, timezone) values (%s, 2, %s) returning id"
    one(owner, grid, "Oke Agbede", "Africa/Accra")
    with pytest.raises(psycopg.errors.CheckViolation, match="not a known zone"):
        one(owner, grid, "Tungan Doki", "Africa/Atlantis")


def test_partitions_reach_three_months_ahead_and_nothing_is_lost_beyond(owner: Session) -> None:
    """[R17] A row of a month without partition goes to the DEFAULT one, and making partitions stays possible."""
    owner.execute("insert into internal.audit_log (at, actor_type, action) values ('2031-05-06Z', 'JOB', 'x')")
    assert one(owner, "select tableoid::regclass::text from internal.audit_log") == "internal.audit_log_default"
    owner.execute("drop table internal.meter_state_events_default, internal.audit_log_default")
    made = owner.execute("select internal.ensure_partitions()").fetchall()
    assert made == []
    last = one(owner, "select to_char(now() at time zone 'UTC' + interval '3 months', 'YYYY_MM')")
    owner.execute(f"drop table messaging.message_archive_{last}")
    assert one(owner, "select internal.ensure_partitions()") == f"messaging.message_archive_{last}"
