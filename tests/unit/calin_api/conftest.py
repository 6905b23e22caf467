"""A CALIN service whose answers a test decides, and its clients."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry
from tests.support.calin import Vendor, bearer, policy, v1_settings, v2_settings

from nxt_adapters.calin_api.v1 import CalinV1Client
from nxt_adapters.calin_api.v2 import CalinV2Client
from nxt_adapters.resilience import OutboundMetrics


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    vendor = Vendor()
    vendor.says("/API/User/Login", {"code": 0, "reason": "success", "result": {"token": bearer()}})
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", vendor.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    vendor.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield vendor
    await runner.cleanup()


@pytest.fixture
async def v1(vendor: Vendor) -> AsyncIterator[CalinV1Client]:
    client = CalinV1Client(v1_settings(vendor.url), policy=policy(), metrics=OutboundMetrics(CollectorRegistry()))
    yield client
    await client.close()


@pytest.fixture
async def v2(vendor: Vendor) -> AsyncIterator[CalinV2Client]:
    client = CalinV2Client(v2_settings(vendor.url), policy=policy(), metrics=OutboundMetrics(CollectorRegistry()))
    yield client
    await client.close()
