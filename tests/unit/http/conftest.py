"""An application of sample routes behind a real gate."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from tests.support.http_roles import Services, application
from tests.support.identity_world import IdentityWorld

from nxt_entrypoints.http.app import HttpSettings, build_app
from nxt_entrypoints.http.routes import Route

Serve = Callable[..., Any]


@pytest.fixture
def world() -> IdentityWorld:
    return IdentityWorld()


@pytest.fixture
async def serve(world: IdentityWorld) -> AsyncIterator[Serve]:
    """Serve routes on a loopback port; returns a client."""
    async with AsyncExitStack() as stack:

        async def start(
            routes: Sequence[Route], services: object = None, *, role: str = "api", **options: Any
        ) -> TestClient[Any, Any]:
            options.setdefault("gate", world.gate)
            options.setdefault("settings", HttpSettings(cors_origins=("*",)))
            app = build_app(role, routes, services, **options)
            return await stack.enter_async_context(TestClient(TestServer(app)))

        yield start


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
async def api(services: Services, world: IdentityWorld) -> Any:
    async with TestClient(TestServer(application("api", services, world))) as client:
        yield client


@pytest.fixture
async def telemetry(services: Services, world: IdentityWorld) -> Any:
    async with TestClient(TestServer(application("telemetry", services, world))) as client:
        yield client
