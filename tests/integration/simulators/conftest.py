"""A receiver of webhooks, an HTTP client, and a small village."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import aiohttp
import grpc
import pytest
from aiohttp import web
from sim_radio import Caller

from nxt_entrypoints.simulators.chirpstack.simulator import ChirpStackConfig
from nxt_entrypoints.simulators.fleet import Fleet, FleetMeter, Plant, Village
from nxt_entrypoints.simulators.process import Simulators, SimulatorsConfig

WAIT_S = 10.0


class Receiver:
    """Stands where the API role would: keeps what is posted, and answers as it is told."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []
        self.answers: list[int] = []
        self.url = ""
        self._arrived = asyncio.Event()

    @property
    def app(self) -> web.Application:
        """A new application that posts to this receiver."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        return app

    async def handle(self, request: web.Request) -> web.Response:
        self.posts.append(
            {
                "query": dict(request.query),
                "headers": dict(request.headers),
                "body": await request.json() if request.content_type == "application/json" else None,
                "form": dict(await request.post()) if "form" in request.content_type else None,
                "text": await request.text(),
            }
        )
        self._arrived.set()
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    async def until(self, condition: Callable[[list[dict[str, Any]]], object]) -> None:
        """Wait until the posts fulfil the condition."""
        async with asyncio.timeout(WAIT_S):
            while not condition(self.posts):
                self._arrived.clear()
                await self._arrived.wait()

    async def until_count(self, count: int) -> list[dict[str, Any]]:
        """Wait for that many posts and return them."""
        await self.until(lambda posts: len(posts) >= count)
        return self.posts


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    runner = web.AppRunner(receiver.app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield receiver
    await runner.cleanup()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WAIT_S)) as session:
        yield session


@pytest.fixture
def fleet() -> Fleet:
    """One village with two gateways, two meters and a three-phase plant."""
    return Fleet(
        villages=[
            Village(
                grid_id=7,
                gateways=["00800000a0000001", "00800000a0000002"],
                meters=[
                    FleetMeter(number="47003333771", credit_kwh=Decimal(10)),
                    FleetMeter(number="47001891341", credit_kwh=Decimal(3), phase="THREE_PHASE"),
                ],
                plant=Plant(portal_id="c0619ab1a2b3", is_three_phase=True),
            )
        ]
    )


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def make_token() -> Callable[..., str]:
    """Return a maker of tokens of the vendor ``test``, written from R23."""

    def make(kwh: str, minute: int = 12_345_678, number: str = "47003333771") -> str:
        head = f"0{int(Decimal(kwh) * 10):06d}{minute % 10**9:09d}"
        return head + f"{(int(number) + int(head)) % 9973:04d}"

    return make


@pytest.fixture
def make_config(fleet, receiver):
    def make(**changes):
        chirpstack = {
            "api_token": "secret-token",
            "event_url": f"{receiver.url}/chirpstack/calin",
            "event_key": "ingress-key",
            "application_id": "app-1",
            "report_every_s": 0,
        }
        for name in list(changes):
            if name in {"report_every_s", "event_url"}:
                chirpstack[name] = changes.pop(name)
        return SimulatorsConfig(
            **{"fleet": fleet, "speed": 40.0, "chirpstack": ChirpStackConfig(**chirpstack)} | changes
        )

    return make


@pytest.fixture
async def sims(make_config):
    async with Simulators(make_config()) as running:
        yield running


@pytest.fixture
async def caller(sims):
    async with grpc.aio.insecure_channel(sims.urls["chirpstack_grpc"]) as channel:
        yield Caller(channel)
