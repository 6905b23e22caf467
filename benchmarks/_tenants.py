"""Tenants with grids and customers by the thousand, seeded set-based, and somebody of each who asks.

``BIG`` has nearly everything, ``TENTH`` a tenth, scattered over all; ``LATE`` came last: its few rows have the highest
ids, behind all others'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt
from _harness import progress
from sqlalchemy import text

from nxt_entrypoints.database.migrate import connected

BIG, TENTH, LATE = 700, 701, 702
TENANTS: Mapping[str, int] = {"big": BIG, "tenth": TENTH, "late": LATE}
_FIRST = 1000
"""Ids below are the platform's own. A member's account has the id of the tenant."""

_PEOPLE = """
    insert into organizations (id, name) values (:big, 'Big'), (:tenth, 'Tenth'), (:late, 'Late');
    insert into auth.users (id) select ('00000000-0000-0000-0000-000000000' || id)::uuid from organizations
    where id in (:big, :tenth, :late);
    update accounts set id = o.id, organization_id = o.id, full_name = 'Dashboard'
    from organizations o where supabase_id = ('00000000-0000-0000-0000-000000000' || o.id)::uuid;
    insert into members (account_id, member_type) select id, 'DEVELOPER' from accounts where id in (:big, :tenth, :late)
"""
# The last hundredth of the grids is that of the latecomer; of the others each tenth is somebody else's.
_GRIDS = """
    insert into grids (id, name, organization_id, kwh_tariff, kwp, deployed_at)
    select :first + n, 'Village ' || n,
        case when n >= :grids - greatest(1, :grids / 100) then :late when n % 10 = 0 then :tenth else :big end,
        250 + n * 0.25, 12.5, now()
    from generate_series(0, :grids - 1) n;
    insert into dcus (external_reference, external_system, communication_protocol, grid_id)
    select 'dcu-' || id || '-' || k, 'CALIN', 'CALIN_LORAWAN', id from grids, generate_series(1, 2) k;
    insert into poles (external_reference, grid_id, location_geom)
    select (id * 100 + k)::text, id, '{"type": "Point", "coordinates": [4.8, 7.4]}'
    from grids, generate_series(1, 10) k;
    insert into mppts (external_reference, external_id, grid_id)
    select 'mppt-' || k, 'mppt-' || k, id from grids, generate_series(1, 2) k;
    insert into routers (external_reference, grid_id) select 'router-' || id, id from grids
"""
_CUSTOMERS = """
    insert into accounts (id, full_name, phone, organization_id)
    select :first + n, 'Customer ' || n, (2340000000000 + n)::text, g.organization_id
    from generate_series(0, :customers - 1) n
    join grids g on g.id = :first + n::bigint * :grids / :customers;
    insert into customers (id, account_id, grid_id, gender, total_connection_fee)
    select :first + n, :first + n, :first + n::bigint * :grids / :customers, 'FEMALE', 5000
    from generate_series(0, :customers - 1) n;
    insert into connections (id, customer_id, currency, women_impacted, is_public, is_commercial, is_residential)
    select :first + n, :first + n, 'NGN', n % 4, false, false, true from generate_series(0, :customers - 1) n;
    insert into meters (id, external_reference, external_system, connection_id, meter_type, rls_grid_id)
    select :first + n, (47000000000 + n)::text, 'CALIN', :first + n, 'HPS', c.grid_id
    from generate_series(0, :customers - 1) n join customers c on c.id = :first + n;
    insert into issues (issue_type, meter_id, grid_id)
    select 'NO_COMMUNICATION', id, rls_grid_id from meters where id % 3 = 0;
    insert into notes (message, author_id, customer_id)
    select 'Paid in two parts', :big, id from customers where id % 2 = 0
"""
_SEQUENCES = """
    select setval(pg_get_serial_sequence(name, 'id'), 10000000)
    from unnest(array['organizations', 'accounts', 'grids', 'customers', 'connections', 'members', 'meters']) name
"""


def seed(url: str, *, grids: int, customers: int) -> None:
    """Fill an empty relational plane.

    Args:
        url: As the owner.
        grids: How many, with two gateways, ten poles, two solar chargers and a router each.
        customers: Spread over the grids, with a connection and a meter each; every third meter has an issue, every
            second customer a note.
    """
    progress(f"seeding {grids} grids and {customers} customers")
    values = {
        "big": BIG, "tenth": TENTH, "late": LATE, "first": _FIRST, "grids": grids, "customers": customers,
    }  # fmt: skip
    with connected(url) as connection, connection.begin():
        for script in (_PEOPLE, _GRIDS, _CUSTOMERS, _SEQUENCES):
            for statement in script.split(";"):
                connection.execute(text(statement), values)
    with connected(url) as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("vacuum analyze")


def grid_ids(tenant: int, grids: int) -> Sequence[int]:
    """The ids of a tenant's grids."""
    latecomers = grids - max(1, grids // 100)
    owner = {n: LATE if n >= latecomers else BIG if n % 10 else TENTH for n in range(grids)}
    return [_FIRST + n for n, its in owner.items() if its == tenant]


def credential(jwt_secret: str, tenant: int = BIG) -> Mapping[str, str]:
    """The header of a member of a tenant, as the identity provider signs it."""
    claims = {
        "sub": str(_login(tenant)),
        "aud": "authenticated",
        "exp": (datetime.now(UTC) + timedelta(hours=2)).timestamp(),
        "app_metadata": {"account_id": tenant},
    }
    return {"Authorization": f"Bearer {jwt.encode(claims, jwt_secret, algorithm='HS256')}"}


def _login(tenant: int) -> UUID:
    return UUID(f"{tenant:032}")
