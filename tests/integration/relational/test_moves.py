"""A grid that is sold: every table that names an owner either follows or keeps history."""

from __future__ import annotations

from tests.support.tenant_world import World

from nxt_adapters.supabase.tables import metadata

PRESENT = {
    "agents", "customers", "connections", "connection_requested_meters", "meters", "dcus", "routers", "mppts", "poles",
    "energy_cabins", "devices", "directive_batches", "metering_hardware_install_sessions", "notes", "issues",
    "meter_shadows", "wallets",
}  # fmt: skip
HISTORY = {
    "orders", "transactions", "meter_interactions", "directive_batch_executions", "metering_hardware_imports",
    "meter_commissionings", "meter_credit_transfers", "meter_state_events", "device_logs",
}  # fmt: skip
# Staff belongs to its employer, not to a grid.
PEOPLE = {"members"}
KEPT = {
    "issues": "issue_status <> 'OPEN'",
    "wallets": "organization_id is not null",
    "meters": "connection_id is null",
    "notes": "customer_id is null and connection_id is null and meter_id is null",
}


def test_the_present_follows_and_history_stays(relational_url: str) -> None:
    """[REL-84] [REL-193] [REL-101] In one statement, in every table that has an owner organization."""
    scoped = {table.name for table in metadata.tables.values() if "rls_organization_id" in table.columns}
    assert scoped == PRESENT | HISTORY | PEOPLE
    world = World(relational_url)
    seller, buyer = (world.tenants[name]["org"] for name in "AB")
    world.insert(
        "issues",
        {"meter_id": "$next_meter", "issue_type": "TAMPER", "issue_status": "CLOSED", "closed_at": "2026-05-01Z"},
        world.tenants["A"],
    )
    before = {table: _owners(world, table) for table in scoped}
    assert all(seller in owners.values() for owners in before.values()), "each table has a row of the seller"
    world.session.execute("update grids set organization_id = %s where id = %s", [buyer, world.tenants["A"]["grid"]])
    for table in scoped:
        kept = _kept(world, table)
        for key, owner in _owners(world, table).items():
            follows = table in PRESENT and key not in kept and before[table][key] == seller
            assert owner == (buyer if follows else before[table][key]), (table, key)
    world.session.close()


def _owners(world: World, table: str) -> dict[object, object]:
    return {row.get("id", row.get("meter_id")): row["rls_organization_id"] for row in world.rows(table)}


def _kept(world: World, table: str) -> set[object]:
    if table not in KEPT:
        return set()
    rows = world.session.execute(f"select id from {table} where {KEPT[table]}")  # type: ignore[arg-type]  # conditions of this file
    return {row["id"] for row in rows}
