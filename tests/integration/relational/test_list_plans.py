"""How the server reads a page of a list: by index, a few rows, however many there are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from operator import attrgetter
from typing import Any

import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_domain.identity.scope import PLATFORM, Scope
from nxt_domain.shared.paging import Window

ROWS, GRID_SIZE = 100_000, 500
BIG, SMALL = Scope(organization_id=7), Scope(organization_id=8)
LISTS = [
    "customers.page",
    "connections.page",
    "meters.page",
    "issues.page",
    "notes.page",
    "gateways.page",
    "infrastructure.mppts",
    "infrastructure.poles",
    "infrastructure.routers",
]

# The small tenant's rows and each grid's lie together, late, so that a walk by id alone would be a long one. What
# triggers would write is written here.
FILL = f"""
    set session_replication_role = replica;
    insert into organizations (id, name) values (7, 'Big'), (8, 'Small');
    insert into grids (id, name, organization_id)
        select g, 'Grid ' || g, case when g >= 180 then 8 else 7 end from generate_series(0, {ROWS // GRID_SIZE}) g;
    insert into accounts (id, full_name) select n, 'Account ' || n from generate_series(1, {ROWS}) n;
    create temporary table chain as
        select n as id, n / {GRID_SIZE} as grid_id, case when n / {GRID_SIZE} >= 180 then 8 else 7 end as owner
        from generate_series(1, {ROWS}) n;
    insert into customers (id, account_id, grid_id, rls_organization_id) select id, id, grid_id, owner from chain;
    insert into connections (id, customer_id, currency, women_impacted, is_public, is_commercial, is_residential,
        rls_organization_id) select id, id, 'NGN', 0, false, false, true, owner from chain;
    insert into meters (id, external_reference, external_system, connection_id, rls_grid_id, rls_organization_id)
        select id, id, 'CALIN', id, grid_id, owner from chain;
    insert into issues (id, issue_type, meter_id, rls_organization_id) select id, 'NO_CREDIT', id, owner from chain;
    insert into notes (id, message, author_id, meter_id, rls_organization_id) select id, 'x', 1, id, owner from chain;
    create temporary table late as select * from chain where id >= 50000;
    insert into dcus (id, external_reference, external_system, communication_protocol, grid_id, rls_organization_id)
        select id, id, 'CALIN', 'CALIN_LORAWAN', grid_id, owner from late;
    insert into mppts (id, external_reference, external_id, grid_id, rls_organization_id)
        select id, id, id, grid_id, owner from late;
    insert into poles (id, external_reference, location_geom, grid_id, rls_organization_id)
        select id, id, '{{"type": "Point", "coordinates": [4, 7]}}', grid_id, owner from late;
    insert into routers (id, external_reference, grid_id, rls_organization_id) select id, id, grid_id, owner from late;
    analyze organizations, grids, accounts, customers, connections, meters, issues, notes, dcus, mppts, poles, routers;
"""


@pytest.fixture
async def engine(relational_url: str) -> AsyncIterator[AsyncEngine]:
    with psycopg.connect(relational_url, autocommit=True) as owner:
        owner.execute(FILL)
    made = create_engine(relational_url, pool_size=1)
    yield made
    await made.dispose()


async def test_a_page_reads_a_few_rows_by_index(engine: AsyncEngine) -> None:
    """[R41] One statement per page, for a tenant, for all of them, and for one grid."""
    told: list[tuple[str, Any]] = []

    def listen(_connection: object, _cursor: object, statement: str, parameters: object, *_rest: object) -> None:
        told.append((statement, parameters))

    event.listen(engine.sync_engine, "before_cursor_execute", listen)
    for name in LISTS:
        for scope, grid_id in ((BIG, None), (SMALL, None), (PLATFORM, None), (BIG, 173), (SMALL, 190)):
            for after in (None, 190 * GRID_SIZE + 100 if scope == SMALL else 173 * GRID_SIZE + 100):
                window = Window(after=after)
                told.clear()
                async with SupabaseUnitOfWork(engine, lambda session: NotImplemented) as tx:
                    page = await attrgetter(name)(tx.within(scope))(window, grid_id=grid_id)
                    assert len(page.items) == 100
                    assert len(told) == 1, "one statement per page"
                    plan = await explained(tx.connection, *told[0])
                told_of = f"{name} {scope} {grid_id} {window}: {plan}"
                assert "Seq Scan" not in str(plan), told_of
                assert rows_read(plan) <= (6 * GRID_SIZE if grid_id else 1100), told_of


async def explained(connection: Any, statement: str, parameters: Any) -> dict[str, Any]:
    explain = f"explain (analyze, format json) {statement}"
    found = await connection.exec_driver_sql(explain, parameters)
    return dict(found.scalar_one()[0]["Plan"])


def rows_read(plan: dict[str, Any]) -> int:
    """Count what the scans of a plan touched, whether it was kept or not."""
    own = 0
    if "Scan" in plan["Node Type"]:
        dropped = sum(plan.get(f"Rows Removed by {why}", 0) for why in ("Filter", "Index Recheck"))
        own = int((plan["Actual Rows"] + dropped) * plan["Actual Loops"])
    return own + sum(rows_read(inner) for inner in plan.get("Plans", ()))
