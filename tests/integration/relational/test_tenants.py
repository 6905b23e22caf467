"""Owner organizations: filled at insert, following what moves above."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
import pytest
from tests.support.ledger import connect

Session = psycopg.Connection[tuple[object, ...]]
Ids = Mapping[str, int]

WORLD = (
    ("owner", "insert into organizations (name) values ('Oke Agbede Power') returning id"),
    ("buyer", "insert into organizations (name) values ('Tungan Doki Power') returning id"),
    ("grid", "insert into grids (name, organization_id) values ('Oke Agbede', %(owner)s) returning id"),
    ("other_grid", "insert into grids (name, organization_id) values ('Tungan Doki', %(buyer)s) returning id"),
    ("account", "insert into accounts (full_name) values ('A customer') returning id"),
    ("agent_account", "insert into accounts (full_name) values ('An agent') returning id"),
    ("agent", "insert into agents (grid_id, account_id) values (%(grid)s, %(agent_account)s) returning id"),
    ("customer", "insert into customers (grid_id, account_id) values (%(grid)s, %(account)s) returning id"),
    (
        "connection",
        (
            "insert into connections (customer_id, currency, women_impacted, is_public, is_commercial, is_residential)"
            " values (%(customer)s, 'NGN', 0, false, false, true) returning id"
        ),
    ),
    (
        "requested",
        (
            "insert into connection_requested_meters (connection_id, meter_type, meter_phase)"
            " values (%(connection)s, 'HPS', 'SINGLE_PHASE') returning id"
        ),
    ),
    (
        "dcu",
        (
            "insert into dcus (external_reference, external_system, communication_protocol, grid_id)"
            " values ('a84041ffff1e', 'CALIN', 'CALIN_LORAWAN', %(grid)s) returning id"
        ),
    ),
    (
        "meter",
        (
            "insert into meters (external_reference, external_system, connection_id, dcu_id)"
            " values ('47001771477', 'CALIN', %(connection)s, %(dcu)s) returning id"
        ),
    ),
    ("agent_wallet", "insert into wallets (agent_id) values (%(agent)s) returning id"),
    ("customer_wallet", "insert into wallets (customer_id) values (%(customer)s) returning id"),
    ("connection_wallet", "insert into wallets (connection_id) values (%(connection)s) returning id"),
    ("meter_wallet", "insert into wallets (meter_id) values (%(meter)s) returning id"),
    (
        "session",
        "insert into metering_hardware_install_sessions (meter_id) values (%(meter)s) returning id",
    ),
    (
        "commissioning",
        "insert into meter_commissionings (metering_hardware_install_session_id) values (%(session)s) returning id",
    ),
    (
        "interaction",
        (
            "insert into meter_interactions (meter_id, meter_interaction_type, origin)"
            " values (%(meter)s, 'READ_CREDIT', 'USER') returning id"
        ),
    ),
    ("shadow", "insert into meter_shadows (meter_id, attribute) values (%(meter)s, 'relay') returning meter_id"),
    (
        "order",
        (
            "insert into orders (amount, currency, sender_wallet_id, receiver_wallet_id, rls_organization_id)"
            " values (5, 'NGN', %(agent_wallet)s, %(meter_wallet)s, %(owner)s) returning id"
        ),
    ),
    (
        "transaction",
        (
            "insert into transactions (amount, transaction_status, wallet_id, order_id)"
            " values (5, 'SUCCESSFUL', %(meter_wallet)s, %(order)s) returning id"
        ),
    ),
    (
        "issue",
        "insert into issues (meter_id, issue_type) values (%(meter)s, 'NO_CREDIT') returning id",
    ),
)
PRESENT = {
    "agents": "agent",
    "customers": "customer",
    "connections": "connection",
    "connection_requested_meters": "requested",
    "dcus": "dcu",
    "meters": "meter",
    "metering_hardware_install_sessions": "session",
    "issues": "issue",
}
HISTORY = {"orders": "order", "transactions": "transaction", "meter_interactions": "interaction"}


@pytest.fixture
def world(relational_url: str) -> tuple[Session, Ids]:
    session = connect(relational_url)
    ids: dict[str, int] = {}
    for name, statement in WORLD:
        row = session.execute(statement, ids).fetchone()
        assert row is not None
        ids[name] = int(str(row[0]))
    return session, ids


def _owner(session: Session, table: str, key: int, column: str = "id") -> object:
    row = session.execute(f"select rls_organization_id from {table} where {column} = %s", [key]).fetchone()
    assert row is not None
    return row[0]


def test_every_row_knows_its_owner_at_birth(world: tuple[Session, Ids]) -> None:
    """[PAY-16] [MET-37] [REL-101] From the chain meter, connection, customer, grid, organization; or the order."""
    session, ids = world
    for table, name in (PRESENT | HISTORY | {"meter_commissionings": "commissioning"}).items():
        assert _owner(session, table, ids[name]) == ids["owner"], table
    for wallet in ("agent_wallet", "customer_wallet", "connection_wallet", "meter_wallet"):
        assert _owner(session, "wallets", ids[wallet]) == ids["owner"], wallet
    assert _owner(session, "meter_shadows", ids["shadow"], "meter_id") == ids["owner"]
    grid = session.execute("select rls_grid_id from meters").fetchone()
    assert grid == (ids["grid"],)


def test_a_clients_own_value_is_overwritten(world: tuple[Session, Ids]) -> None:
    """[REL-102] What a client sends does not count."""
    session, ids = world
    row = session.execute(
        "insert into poles (external_reference, grid_id, location_geom, rls_organization_id)"
        """ values ('123456', %(grid)s, '{"type": "Point", "coordinates": [4.1, 8.2]}', %(buyer)s) returning id""",
        ids,
    ).fetchone()
    assert row is not None
    assert _owner(session, "poles", int(str(row[0]))) == ids["owner"]


def test_a_sold_grid_takes_its_present_along_and_leaves_history(world: tuple[Session, Ids]) -> None:
    """[REL-84] [REL-193] Present rows change their owner in the same statement; orders and transactions keep theirs."""
    session, ids = world
    session.execute("update grids set organization_id = %(buyer)s where id = %(grid)s", ids)
    for table, name in PRESENT.items():
        assert _owner(session, table, ids[name]) == ids["buyer"], table
    for wallet in ("agent_wallet", "customer_wallet", "connection_wallet", "meter_wallet"):
        assert _owner(session, "wallets", ids[wallet]) == ids["buyer"], wallet
    assert _owner(session, "meter_shadows", ids["shadow"], "meter_id") == ids["buyer"]
    for table, name in HISTORY.items():
        assert _owner(session, table, ids[name]) == ids["owner"], table


def test_a_customer_who_moves_takes_meters_to_the_new_grid(world: tuple[Session, Ids]) -> None:
    """[REL-84] [MET-14] The meter's copy of the grid follows, also between two grids of one owner."""
    session, ids = world
    session.execute("update grids set organization_id = %(owner)s where id = %(other_grid)s", ids)
    session.execute("update customers set grid_id = %(other_grid)s where id = %(customer)s", ids)
    row = session.execute("select rls_grid_id, rls_organization_id from meters").fetchone()
    assert row == (ids["other_grid"], ids["owner"])


def test_a_meter_belongs_where_its_customer_is(world: tuple[Session, Ids]) -> None:
    """[REL-22] Its gateway may stand on somebody else's grid."""
    session, ids = world
    session.execute("update dcus set grid_id = %(other_grid)s where id = %(dcu)s", ids)
    assert _owner(session, "dcus", ids["dcu"]) == ids["buyer"]
    assert _owner(session, "meters", ids["meter"]) == ids["owner"]
    session.execute("update meters set dcu_id = null where id = %(meter)s", ids)
    assert _owner(session, "meters", ids["meter"]) == ids["owner"]


def test_an_unassigned_meter_belongs_to_nobody(world: tuple[Session, Ids]) -> None:
    """[REL-22] [REL-17] [PAY-16] Meter, wallet and shadow lose their owner; the wallet keeps its meter."""
    session, ids = world
    session.execute("update meters set connection_id = null, dcu_id = null where id = %(meter)s", ids)
    assert _owner(session, "meters", ids["meter"]) is None
    assert session.execute("select rls_grid_id from meters").fetchone() == (None,)
    assert _owner(session, "wallets", ids["meter_wallet"]) is None
    assert _owner(session, "meter_shadows", ids["shadow"], "meter_id") is None
    session.execute("update meters set connection_id = %(connection)s where id = %(meter)s", ids)
    assert _owner(session, "wallets", ids["meter_wallet"]) == ids["owner"]
