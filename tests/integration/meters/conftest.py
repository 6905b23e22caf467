"""The meters' use cases on both stores."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.support.meters_villages import OWN_KINDS, PostgresVillage, postgres_village, village
from tests.support.meters_world import MetersWorld


@pytest.fixture(params=OWN_KINDS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[MetersWorld]:
    async with village(request, request.param) as built:
        yield built


@pytest.fixture
async def postgres(relational_url: str) -> AsyncIterator[PostgresVillage]:
    async with postgres_village(relational_url) as built:
        yield built
