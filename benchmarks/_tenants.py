"""One tenant's grids and customers by the thousand, seeded set-based, and somebody of it who asks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt
from _harness import progress
from sqlalchemy import text

from nxt_entrypoints.database.migrate import connected

TENANT = 700
OTHER_TENANT = 701
_LOGIN = UUID("00000000-0000-4000-8000-000000000700")
_ACCOUNT = 700
_FIRST = 1000
"""Ids below are the platform's own."""

_PEOPLE = """
    insert into organizations (id, name) values (:tenant, 'Bench'), (:other, 'Other');
    insert into auth.users (id) values (:login);
    insert into accounts (id, supabase_id, full_name, organization_id)
        values (:account, :login, 'Dashboard', :tenant)
        on conflict (supabase_id) do update
            set id = excluded.id, full_name = excluded.full_name, organization_id = excluded.organization_id;
    insert into members (account_id, member_type) values (:account, 'DEVELOPER')
"""
_GRIDS = """
    insert into grids (id, name, organization_id, kwh_tariff, kwp, deployed_at)
    select :first + n, 'Village ' || n, case when n % 10 = 0 then :other else :tenant end, 250 + n * 0.25, 12.5, now()
    from generate_series(0, :grids - 1) n
"""
_CUSTOMERS = """
    insert into accounts (id, full_name, phone, organization_id)
    select :first + n, 'Customer ' || n, (2340000000000 + n)::text, g.organization_id
    from generate_series(0, :customers - 1) n join grids g on g.id = :first + n % :grids;
    insert into customers (id, account_id, grid_id, gender, total_connection_fee)
    select :first + n, :first + n, :first + n % :grids, 'FEMALE', 5000
    from generate_series(0, :customers - 1) n;
    insert into connections (id, customer_id, currency, women_impacted, is_public, is_commercial, is_residential)
    select :first + n, :first + n, 'NGN', n % 4, false, false, true from generate_series(0, :customers - 1) n
"""
_SEQUENCES = """
    select setval(pg_get_serial_sequence(name, 'id'), 10000000)
    from unnest(array['organizations', 'accounts', 'grids', 'customers', 'connections', 'members']) name
"""


def seed(url: str, *, grids: int, customers: int) -> None:
    """Fill an empty relational plane: nine of ten grids are the asking tenant's.

    Args:
        url: As the owner.
        grids: How many; their ids are consecutive.
        customers: Dealt over the grids, with a connection each.
    """
    progress(f"seeding {grids} grids and {customers} customers")
    values = {
        "tenant": TENANT, "other": OTHER_TENANT, "login": _LOGIN, "account": _ACCOUNT,
        "first": _FIRST, "grids": grids, "customers": customers,
    }  # fmt: skip
    with connected(url) as connection, connection.begin():
        for script in (_PEOPLE, _GRIDS, _CUSTOMERS, _SEQUENCES):
            for statement in script.split(";"):
                connection.execute(text(statement), values)
    with connected(url) as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("vacuum analyze")


def own_grid_ids(grids: int) -> list[int]:
    """The ids of the asking tenant's grids."""
    return [_FIRST + number for number in range(grids) if number % 10]


def credential(jwt_secret: str) -> Mapping[str, str]:
    """The header of a member of the tenant, as the identity provider signs it."""
    claims = {
        "sub": str(_LOGIN),
        "aud": "authenticated",
        "exp": (datetime.now(UTC) + timedelta(hours=2)).timestamp(),
        "app_metadata": {"account_id": _ACCOUNT},
    }
    return {"Authorization": f"Bearer {jwt.encode(claims, jwt_secret, algorithm='HS256')}"}
