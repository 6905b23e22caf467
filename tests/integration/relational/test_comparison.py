"""`nxt db check` on the relational plane."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Connection
from tests.support import databases
from tests.support.databases import Unobtainable

from nxt_entrypoints.database.comparison import check, differences
from nxt_entrypoints.database.migrate import connected


@pytest.fixture(scope="module")
def shared_url() -> Iterator[str]:
    try:
        with databases.fresh_database(databases.embedded_server(), "relational") as url:
            yield url
    except Unobtainable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def database(shared_url: str) -> Iterator[Connection]:
    """A database in which whatever a test changes is undone."""
    with connected(shared_url) as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


def test_a_migrated_database_shows_no_difference(any_relational_url: str) -> None:
    """[REL-174] [R44] The migrations build exactly what the tables of the adapter describe."""
    assert [str(difference) for difference in check(any_relational_url, "relational")] == []


def test_comparing_leaves_nothing_behind(relational_url: str) -> None:
    """[REL-174] What was built for the comparison is gone."""
    count = "select count(*) from pg_class"
    with psycopg.connect(relational_url, autocommit=True) as connection:
        before = connection.execute(count).fetchone()
        check(relational_url, "relational")
        assert connection.execute(count).fetchone() == before


def test_policies_of_an_operators_own_role_are_its_business(relational_url: str) -> None:
    """[REL-4] Read-only roles are configuration of a deployment, not of the schema."""
    with psycopg.connect(relational_url, autocommit=True) as connection:
        connection.execute("create policy surprise on meters for select to pg_monitor using (true)")
    assert check(relational_url, "relational") == []


def test_a_database_without_migrations_is_one_difference(empty_url: str) -> None:
    """[REL-174] The revision comes first; without it nothing else is worth saying."""
    assert [difference.kind for difference in check(empty_url, "relational")] == ["revision"]


CHANGES = (
    ("alter table wallets drop column currency cascade", "column", "wallets.currency"),
    ("alter table orders add column surprise text", "column", "orders.surprise"),
    ("alter table payouts alter column proposed_amount type float8", "type", "payouts.proposed_amount"),
    ("alter table meters alter column power_limit_hps_mode set default 100", "default", "power_limit_hps_mode"),
    ("alter table notes alter column author_id drop not null", "nullable", "notes.author_id"),
    ("drop index ux_orders_external_reference", "index", "ux_orders_external_reference"),
    ('alter table wallets drop constraint "REL_8db1f4e4f8122bd25d50ad96b2"', "constraint", "REL_8db1f4e4"),
    ("alter table meters drop constraint meters_device_id_fkey", "fk", "meters_device_id_fkey"),
    ("alter table orders drop constraint ck_orders_amount", "check", "orders.ck_orders_amount"),
    ("drop table messaging.admission", "table", "admission"),
    ("drop function internal.refresh_hot_balances()", "function", "internal.refresh_hot_balances"),
    ("alter table wallets disable trigger guard_wallet_balance", "trigger", "wallets.guard_wallet_balance"),
    ("drop trigger refuse_change on internal.ledger_entries", "trigger", "ledger_entries.refuse_change"),
    ("grant insert on internal.ledger_postings to nxt_app", "right", "ledger_postings insert"),
    ("alter table orders disable row level security", "row security", "orders"),
    ('drop policy "select by platform" on orders', "policy", "orders.select by platform: is missing"),
    ("create policy hole on orders for select to anon using (true)", "policy", "orders.hole: is not expected"),
    (
        """alter policy "select by own organization" on notes using (true)""",
        "policy",
        "notes.select by own organization: is select to authenticated: true",
    ),
    ("drop policy nxt_roles on banks", "policy", "banks.nxt_roles"),
    ("grant select on banks to authenticated", "right", "select on banks for authenticated: is not expected"),
    ("grant update (amount) on orders to public", "right", "update on orders.amount for public"),
    ("grant truncate on orders to service_role", "right", "truncate on orders for service_role"),
    ("revoke select on meters from authenticated", "right", "select on meters for authenticated: is missing"),
    ("drop table internal.audit_log_default", "partition", "internal.audit_log"),
    ("alter publication supabase_realtime drop table orders", "publication", "orders"),
    ("alter function internal.post_entries(jsonb) reset search_path", "routine", "internal.post_entries"),
    (
        "create or replace function internal.touch_updated_at() returns trigger language plpgsql as 'begin end'",
        "function",
        "internal.touch_updated_at",
    ),
    ("create function internal.surprise() returns int language sql as 'select 1'", "function", "internal.surprise"),
    ("alter function rls_check_if_lender() security invoker", "function", "rls_check_if_lender"),
    (
        "alter table orders drop constraint ck_orders_amount, add constraint ck_orders_amount check (amount > -1)",
        "check",
        "orders.ck_orders_amount",
    ),
    ("alter table orders add constraint surprise check (amount < 5)", "check", "orders.surprise"),
    (
        "drop index ix_orders_pending; create index ix_orders_pending on orders (id) where order_status = 'FAILED'",
        "index",
        "ix_orders_pending",
    ),
    ("alter table notes drop constraint notes_pkey", "primary key", "notes.notes_pkey"),
    (
        "create or replace trigger check_timezone after insert on grids execute function internal.check_timezone()",
        "trigger",
        "grids.check_timezone",
    ),
    (
        "create trigger surprise before insert on grids for each row execute function internal.check_timezone()",
        "trigger",
        "grids.surprise",
    ),
    ("drop view agents_with_account", "view", "public.agents_with_account: is missing"),
    ("create view surprise with (security_invoker) as select 1 as one", "view", "surprise"),
    ("alter view agents_with_account reset (security_invoker)", "row security", "agents_with_account"),
    ("alter view compat.orders set (security_invoker = false)", "row security", "compat.orders"),
    (
        "create or replace view my_grid as select id, name, timezone, is_hps_on, is_hps_on as is_fs_on from grids",
        "view",
        "public.my_grid",
    ),
    ("alter table grids add column surprise numeric", "view", "compat.grids.surprise"),
    ("drop view compat.wallets", "view", "compat.wallets.balance"),
    ("grant execute on function get_grid_status(int) to anon", "right", "get_grid_status(integer) for anon"),
    ("grant usage on sequence orders_id_seq to authenticated", "right", "orders_id_seq for authenticated"),
    ("grant execute on function handle_new_user() to public", "right", "handle_new_user() for authenticated"),
    ("create policy surprise on meters for select to anon using (true)", "policy", "meters.surprise"),
    ("alter policy nxt_roles on meters using (is_on)", "policy", "meters.nxt_roles"),
    ("alter type currency_enum add value 'XOF'", "enumeration", "currency_enum"),
    ("alter publication supabase_realtime add table api_keys", "publication", "api_keys"),
    ("alter table poles drop constraint ck_poles_location_geom", "check", "poles.ck_poles_location_geom"),
    (
        "alter table pd_sites drop constraint ck_pd_sites_location_geom, alter location_geom type int using 1",
        "type",
        "pd_sites.location_geom",
    ),
)
"""What somebody does by hand, and what is said of it: a kind of difference, and a part of its name."""
_AT_ONCE = 4


@pytest.mark.parametrize("first", range(_AT_ONCE))
def test_changes_made_by_hand_are_reported(database: Connection, first: int) -> None:
    """[REL-174] Every kind of difference is seen; each fourth one together, since a comparison takes its time."""
    changes = CHANGES[first::_AT_ONCE]
    for statement, _, _ in changes:
        database.exec_driver_sql(statement)
    found = differences(database, "relational")
    unseen = [
        (kind, name)
        for _, kind, name in changes
        if not any(kind in difference.kind and name in str(difference) for difference in found)
    ]
    assert unseen == [], found
