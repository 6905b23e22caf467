"""The API role's application over a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from tests.support.http_roles import LOTS
from tests.support.sites_world import SitesWorld

from nxt_entrypoints.api.app import build_api


@pytest.fixture
async def world(relational_url: str) -> AsyncIterator[SitesWorld]:
    made = SitesWorld(relational_url)
    await made.found()
    yield made
    await made.close()


@pytest.fixture
async def api(world: SitesWorld) -> AsyncIterator[Any]:
    app = build_api(world.services, gate=world.callers.gate, settings=LOTS)
    async with TestClient(TestServer(app)) as client:
        yield client
