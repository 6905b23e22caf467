"""What clients write into a meter's intent columns is taken up for the domain."""

from __future__ import annotations

import pytest
from tests.support.tenant_world import World

INBOX = "select meter_id, attribute::text, desired, account_id from internal.intent_inbox order by id"


def _write(world: World, who: str, change: str) -> list[tuple[object, ...]]:
    with world.undone():
        _act(world, who)
        world.session.execute(f"update meters set {change} where id = %s", [world.tenants["A"]["meter"]])  # type: ignore[arg-type]  # changes of this file
        world.session.execute("reset role")
        return [tuple(row.values()) for row in world.session.execute(INBOX)]


def _act(world: World, who: str) -> None:
    if who in world.everybody:
        caller = world.everybody[who]
        claims = caller.claims(caller.organization)
        world.session.execute("select set_config('request.jwt.claims', %s, true)", [claims])
    world.session.execute(f"set local role {world.everybody[who].role if who in world.everybody else who}")  # type: ignore[arg-type]  # roles of this file


@pytest.mark.parametrize(
    ("change", "intents"),
    [
        ("should_be_on = true", [("relay", 1)]),
        ("should_be_on = null", [("relay", None)]),
        ("power_limit_should_be = 0", [("power_limit", 0)]),
        ("power_limit_should_be = 200, should_be_on = true", [("relay", 1), ("power_limit", 200)]),
        ("should_be_on = false", []),
        ("should_be_on = false, power_limit_should_be = null, nickname = 'same intents'", []),
        ("is_manual_mode_on = true, power_limit_hps_mode = 100", []),
    ],
)
def test_a_direct_write_of_an_intent_waits_for_the_domain(
    world: World, change: str, intents: list[tuple[str, object]]
) -> None:
    """[R16] [REL-159] [MET-27] In the same transaction, with the caller's account; other columns are no intents."""
    meter, account = world.tenants["A"]["meter"], world.everybody["platform member"].account
    assert _write(world, "platform member", change) == [(meter, *intent, account) for intent in intents]


def test_a_write_with_the_service_key_is_an_intent_of_nobody(world: World) -> None:
    """[R16] It comes past the domain, too."""
    assert _write(world, "service_role", "should_be_on = true") == [(world.tenants["A"]["meter"], "relay", 1, None)]


def test_a_deployments_own_role_is_a_client_too(world: World) -> None:
    """[R16] [REL-4] It has the policies of signed-in callers, by inheritance."""
    world.session.execute("create role nxt_test_dashboard in role authenticated")
    _act(world, "platform member")
    world.session.execute("reset role")
    expected = [(world.tenants["A"]["meter"], "relay", 1, world.everybody["platform member"].account)]
    assert _write(world, "nxt_test_dashboard", "should_be_on = true") == expected


def test_a_repair_by_the_owner_is_no_intent(world: World) -> None:
    """[R16] Whoever migrates and restores speaks for nobody."""
    world.session.execute("update meters set should_be_on = true, power_limit_should_be = 5")
    assert world.session.execute(INBOX).fetchall() == []


def test_the_products_own_projection_is_no_intent(world: World) -> None:
    """[R16] The domain writes these columns with what it registered."""
    assert _write(world, "nxt_app", "should_be_on = true, power_limit_should_be = 5") == []


def test_what_a_client_may_not_write_is_no_intent(world: World) -> None:
    """[REL-159] Only a permitted client's write counts: row security changes nothing for others."""
    meter = world.tenants["A"]["meter"]
    _act(world, "customer A")
    changed = world.session.execute("update meters set should_be_on = true where id = %s", [meter])
    assert changed.rowcount == 0
    world.session.execute("reset role")
    assert world.session.execute(INBOX).fetchall() == []
