"""The partners' functions of a role that runs as ``nxt api`` starts it, over both planes."""

from __future__ import annotations

from typing import Any

import aiohttp
import psycopg
from tests.support.running_roles import RunningRoles
from tests.support.two_tenants import TwoTenants

from nxt_entrypoints.settings.roles import Role

HOUR = """
    insert into meter_snapshot_1_h
        (created_at, meter_id, meter_external_reference, grid_id, customer_id, consumption_kwh,
        is_hidden_from_reporting)
    values ('2026-04-15 10:00', 9, '47000012345', %s, 123, 0.4504, false)
"""
RANGE = "FROM=2026-04-15&TO=2026-04-16"


async def test_partners_are_served(relational_url: str, series_url: str, valkey_url: str) -> None:
    """[REL-32] [API-206] [API-207] [REL-121] Over real stores: tokens, keys, names of sites, rows of both planes."""
    rows = TwoTenants(relational_url)
    grid = rows.owner.execute("select * from grids where id = %s", (rows.own["grid"],)).fetchone()
    assert grid is not None
    rows.owner.execute("update grids set is_hidden_from_reporting = false")
    with psycopg.connect(series_url, autocommit=True) as series:
        series.execute(HOUR, (grid["id"],))
    with RunningRoles(relational_url, valkey_url, series_url) as roles:
        lender = {"Authorization": f"Bearer {rows.token('LENDER', roles.secrets.jwt_secret)}"}
        aggregator = {"Authorization": f"Bearer {rows.key('aggregators key', 'DATA_AGGREGATOR')}"}
        async with aiohttp.ClientSession(f"{roles.urls[Role.API]}/functions/v1/") as session:
            customers = await told(session, "customers", lender)
            orders = await told(session, "orders", lender)
            everywhere = await told(session, f"meter-consumption?{RANGE}", aggregator)
            at_site = await told(session, f"meter-consumption-2?{RANGE}&site={grid['name'].upper()}", aggregator)
            elsewhere = await told(session, f"meter-consumption-2?{RANGE}&site=nowhere", aggregator)
    rows.close()
    assert {entry["full_name"] for entry in customers["entries"]} == {"*******"}
    assert grid["name"] in {entry["grid"] for entry in customers["entries"]}
    assert orders["page"] == 1
    assert everywhere["readings"] == [
        {
            "timestamp": "2026-04-15T10:00:00.000Z",
            "meterId": "47000012345",
            "energyConsumptionKwh": 0.45,
            "timeIntervalMinutes": 60,
            "customerAccountId": 123,
        }
    ]
    assert at_site == everywhere
    assert elsewhere["total"] == 0


async def told(session: aiohttp.ClientSession, path: str, headers: dict[str, str]) -> Any:
    async with session.get(path, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()
