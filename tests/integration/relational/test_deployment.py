"""The platform's ids, in the configuration and in the database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.deployment import deployment_faults
from nxt_adapters.supabase.engine import create_engine
from nxt_entrypoints.database.baseline_seed import Baseline, seed

CONFIGURED = {"admin_organization_id": 2, "system_wallet_id": 968}


@pytest.fixture
async def engine(relational_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(relational_url, pool_size=1)
    yield engine
    await engine.dispose()


async def test_before_seeding_everything_is_missing(engine: AsyncEngine) -> None:
    """[API-200] Three lines, each with what to do."""
    faults = await deployment_faults(engine, **CONFIGURED)
    assert [fault.partition(";")[0] for fault in faults] == [
        "the admin organization 2 does not exist",
        "wallet 968 is not the banking system's",
        "row security takes no organization for the platform's, the configuration 2",
    ]


async def test_after_seeding_nothing_is(engine: AsyncEngine, relational_url: str) -> None:
    """[API-200] [REL-10] Configuration and database agree."""
    seed(relational_url, Baseline())
    assert await deployment_faults(engine, **CONFIGURED) == []


async def test_another_operator_or_wallet_is_said(engine: AsyncEngine, relational_url: str) -> None:
    """[API-200] [REL-10] Row security would trust the wrong staff."""
    seed(relational_url, Baseline(platform_organization_id=7, banking_system_wallet_id=5))
    async with engine.begin() as connection:
        await connection.execute(text("insert into organizations (id, name) values (2, 'Another')"))
    faults = await deployment_faults(engine, **CONFIGURED)
    assert [fault.partition(",")[0] for fault in faults] == [
        "wallet 968 is not the banking system's; set BANKING_SYSTEM_WALLET_ID or run: nxt db seed",
        "row security takes 7 for the platform's",
    ]
