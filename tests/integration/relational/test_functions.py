"""Functions that clients call through the table gateway, and credentials of merchants."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest
from tests.support.tenant_world import Row, World


def test_grid_status_counts_customers_that_have_meters(world: World) -> None:
    """[REL-92] [API-211] Not the hidden ones, not those of deleted accounts, not those without a meter."""
    ids = world.tenants["A"]
    status = "select * from get_grid_status(%s)"
    world.do("update grids set is_hps_on = true, is_cabin_meter_credit_depleting = true where id = %s", ids["grid"])
    expected: Row = {
        "is_hps_on": True,
        "is_fs_on": False,
        "are_all_dcus_online": False,
        "are_all_dcus_under_high_load_threshold": True,
        "is_cabin_meter_credit_depleting": True,
        "customer_count": 1,
    }
    assert world.query(status, ids["grid"]) == [expected], "the neighbour is hidden"
    world.do("update customers set is_hidden_from_reporting = false where id = %s", ids["neighbour"])
    assert world.query(status, ids["grid"])[0]["customer_count"] == 2
    world.do("update accounts set deleted_at = now() where id = %s", ids["neighbour_account"])
    assert world.query(status, ids["grid"])[0]["customer_count"] == 1
    world.do("update meters set connection_id = null where id = %s", ids["meter"])
    assert world.query(status, ids["grid"])[0]["customer_count"] == 0


def test_grid_status_of_another_tenants_grid_is_no_row(world: World) -> None:
    """[REL-92] Like an unknown grid; the caller's rights decide."""
    mine, theirs = world.tenants["A"]["grid"], world.tenants["B"]["grid"]
    with world.acting(world.everybody["member A"]):
        assert len(world.query("select * from get_grid_status(%s)", mine)) == 1
        assert world.query("select * from get_grid_status(%s)", theirs) == []
        assert world.query("select * from get_grid_status(%s)", 4711) == []


def _sell(world: World, customer: object, amount: str, at: str = "2026-05-10Z", **changes: object) -> None:
    ids = world.tenants["A"]
    facts = {
        "amount": amount, "currency": "NGN", "order_status": "INITIALISED", "created_at": at,
        "sender_wallet_id": ids["org_wallet"], "receiver_wallet_id": ids["meter_wallet"],
        "historical_grid_id": ids["grid"], "rls_organization_id": ids["org"], "meta_order_type": "ENERGY_TOPUP",
        "meta_is_hidden_from_reporting": False, "meta_receiver_id_part_2": customer,
        "meta_receiver_name_part_2": f"Customer {customer}",
    }  # fmt: skip
    status = changes.pop("order_status", "COMPLETED")
    order = world.insert("orders", {**facts, **changes}, ids)["key"]
    for step in ("PENDING", status):
        if status != "INITIALISED":
            world.do("update orders set order_status = %s where id = %s", step, order)


PERIOD = ("2026-05-01Z", "2026-06-01Z")


def _revenue(world: World, grid: object) -> object:
    return world.query("select find_energy_topup_revenue(%s, %s, %s) as it", grid, *PERIOD)[0]["it"]


def test_revenue_sums_settled_energy_of_a_half_open_period(world: World) -> None:
    """[REL-93] [API-211] Half-open; hidden, unsaid, reversed, unsettled and other orders don't count."""
    grid = world.tenants["A"]["grid"]
    assert _revenue(world, grid) == Decimal(0), "and not null"
    _sell(world, 1, "100.25", "2026-05-01T00:00:00Z")
    _sell(world, 1, "200", "2026-05-31T23:59:59.999Z")
    _sell(world, 1, "1", "2026-06-01T00:00:00Z")
    _sell(world, 1, "2", "2026-04-30T23:59:59.999Z")
    _sell(world, 1, "4", meta_is_hidden_from_reporting=True)
    _sell(world, 1, "8", meta_is_hidden_from_reporting=None)
    _sell(world, 1, "16", reversed_at="2026-05-11Z")
    _sell(world, 1, "32", order_status="FAILED")
    _sell(world, 1, "64", order_status="INITIALISED")
    _sell(world, 1, "128", meta_order_type="CONNECTION_PAYMENT")
    assert _revenue(world, grid) == Decimal("300.25")
    with world.acting(world.everybody["member B"]):
        assert _revenue(world, grid) == Decimal(0)


def test_top_spenders_are_grouped_by_customer(world: World) -> None:
    """[REL-94] [API-211] Largest first, ties by id, at most so many; one row for a customer, whatever the name was."""
    _sell(world, 7, "50")
    _sell(world, 7, "60", meta_receiver_name_part_2="Customer 7, renamed")
    _sell(world, 9, "110")
    _sell(world, 8, "300")
    _sell(world, 5, "10")
    _sell(world, 5, "500", reversed_at="2026-05-11Z")
    query = "select * from find_top_spenders(%s, %s, %s, %s)"
    assert world.query(query, world.tenants["A"]["grid"], 3, *PERIOD) == [
        {"full_name": "Customer 8", "id": 8, "amount": Decimal(300)},
        {"full_name": "Customer 7, renamed", "id": 7, "amount": Decimal(110)},
        {"full_name": "Customer 9", "id": 9, "amount": Decimal(110)},
    ]
    with world.acting(world.everybody["member B"]):
        assert world.query(query, world.tenants["A"]["grid"], 3, *PERIOD) == []


SECRET, WEBHOOK = "10000000-0000-4000-8000-000000000001", "10000000-0000-4000-8000-000000000002"
NOTHING = {"public_key": None, "secret_key": None, "webhook_secret": None}


def _store_credentials(world: World) -> object:
    organization = world.tenants["A"]["org"]
    for secret in (SECRET, WEBHOOK):
        world.do(
            "insert into internal.secrets (id, purpose, ciphertext, key_id) values (%s, 'X', '', 'k')",
            secret,
        )
    world.do(
        "insert into internal.organization_payment_credentials (organization_id, flutterwave_enabled,"
        " flutterwave_public_key, flutterwave_secret_key_id, flutterwave_webhook_secret_id)"
        " values (%s, true, 'public', %s, %s)",
        organization,
        SECRET,
        WEBHOOK,
    )
    return organization


def _credentials(world: World, organization: object) -> list[Row]:
    return world.query("select * from get_flutterwave_credentials(%s)", organization)


def test_without_a_vault_credentials_are_null(world: World) -> None:
    """[REL-152] [R15] SQL holds no key: the application decrypts."""
    organization = _store_credentials(world)
    assert _credentials(world, organization) == _credentials(world, 4711) == [NOTHING]


def test_with_a_vault_complete_and_enabled_credentials_are_given(world: World) -> None:
    """[REL-152] [REL-154] One row in any case; all null when disabled or incomplete."""
    organization = _store_credentials(world)
    world.do("create schema vault")
    world.do("create table vault.decrypted_secrets (id uuid primary key, decrypted_secret text)")
    world.do("insert into vault.decrypted_secrets values (%s, 's3cret'), (%s, 'hook')", SECRET, WEBHOOK)
    assert _credentials(world, organization) == [
        {"public_key": "public", "secret_key": "s3cret", "webhook_secret": "hook"}
    ]
    assert _credentials(world, world.tenants["B"]["org"]) == [NOTHING]
    with world.undone():
        world.do("delete from vault.decrypted_secrets where id = %s", WEBHOOK)
        assert _credentials(world, organization) == [NOTHING]
    world.do("update internal.organization_payment_credentials set flutterwave_enabled = false")
    assert _credentials(world, organization) == [NOTHING]


def test_only_the_service_role_reads_credentials(world: World) -> None:
    """[REL-152] No client, and not the application either, which decrypts by itself."""
    for role in ("anon", "authenticated", "nxt_app"):
        with world.undone():
            world.do(f"set local role {role}")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                _credentials(world, 1)
    world.do("set local role service_role")
    assert _credentials(world, 1) == [NOTHING]
