"""`nxt db check` on the relational plane."""

from __future__ import annotations

import psycopg
import pytest

from nxt_entrypoints.database.comparison import check


def test_a_migrated_database_shows_no_difference(any_relational_url: str) -> None:
    """[REL-174] [R44] The migrations build exactly what the tables of the adapter describe."""
    assert [str(difference) for difference in check(any_relational_url, "relational")] == []


def test_a_database_without_migrations_is_one_difference(empty_url: str) -> None:
    """[REL-174] The revision comes first; without it nothing else is worth saying."""
    assert [difference.kind for difference in check(empty_url, "relational")] == ["revision"]


@pytest.mark.parametrize(
    ("statement", "kind", "name"),
    [
        ("alter table wallets drop column currency", "column", "wallets.currency"),
        ("alter table orders add column surprise text", "column", "orders.surprise"),
        ("alter table orders alter column amount type double precision", "type", "orders.amount"),
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
    ],
)
def test_a_change_made_by_hand_is_reported(relational_url: str, statement: str, kind: str, name: str) -> None:
    """[REL-174] Every kind of difference is seen."""
    with psycopg.connect(relational_url, autocommit=True) as connection:
        connection.execute(statement)
    found = check(relational_url, "relational")
    assert any(kind in difference.kind and name in str(difference) for difference in found), found
