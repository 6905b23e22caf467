"""A message engine as a process, with the real network server plug-in, a vendor over HTTP, and the vendors' ingress.

Several of them share the ingress' port, so that the halves of an answer arrive anywhere. A process of this kind may be
killed at any instruction.

Usage: python -m tests.support.interleaving_engine FILE   (JSON of ``Engine``)
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import attrs
from aiohttp import web

from nxt_adapters.chirpstack.ingress import ChirpStackIngress
from nxt_adapters.chirpstack.network_server import ChirpStackNetworkServer
from nxt_adapters.chirpstack.rpc import ChirpStackApi
from nxt_adapters.chirpstack.settings import PLUGIN_ID, ChirpStackSettings
from nxt_adapters.memory.plugins import StubPull
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.messages import PostgresMessageStore
from nxt_domain.messaging.model import (
    DeliveryStatus,
    DeviceEvent,
    DeviceMessage,
    ExecutionStatus,
    FailureContext,
    Response,
)
from nxt_domain.messaging.plugins import PluginSet
from nxt_domain.messaging.ports import PollFailed, SendFailed
from nxt_domain.messaging.retry import RetryPolicy
from nxt_domain.messaging.tuning import DeliveryPolicy, Tuning
from nxt_domain.messaging.use_cases import ApplyDeviceEvent
from nxt_domain.messaging.use_cases.changes import Workshop
from nxt_domain.shared.errors import Unavailable
from nxt_domain.shared.ids import UlidFactory
from nxt_entrypoints.jobs.message_engine import EngineSettings, MessageEngine
from tests.support.messaging_engine_process import DeafWakeUps, SystemClock

POLICY = DeliveryPolicy(retry=RetryPolicy(base_delay_ms=200, max_delay_ms=3_000))
_VENDOR_ANSWERS_WITHIN_S = 5.0


@attrs.frozen(kw_only=True)
class Engine:
    """How a process is set up.

    Attributes:
        url: Of the relational plane.
        chirpstack: ``host:port`` of the network server.
        token: Its API token.
        ingress_port: Where vendors post; shared by all processes.
        dcu_url: The vendor of DCUs.
        min_interval_ms: Spacing of each network.
        max_in_flight: Slots of each DCU.
        lease_s: After so long a killed process's work is taken over.
        answer_s: How long a meter may take to answer.
        radio_s: After so long the network server is asked whether it still has a downlink.
        poll_s: Between polls of a task.
    """

    url: str
    chirpstack: str
    token: str
    ingress_port: int
    dcu_url: str
    min_interval_ms: int
    max_in_flight: int
    lease_s: float
    answer_s: float
    radio_s: float
    poll_s: float

    def tunings(self) -> dict[str, Tuning]:
        """Patience of test length [R9]."""
        ns_ms, poll_ms = int(2_000 * self.lease_s), int(1_000 * self.poll_s)
        return {
            PLUGIN_ID: Tuning(
                min_interval_ms=self.min_interval_ms,
                ns_in_flight_timeout_ms=ns_ms,
                relay_node_in_flight_timeout_ms=int(1_000 * self.radio_s),
                device_in_flight_timeout_ms=int(1_000 * self.answer_s),
            ),
            StubPull.plugin_id: Tuning(
                max_in_flight=self.max_in_flight,
                ns_in_flight_timeout_ms=ns_ms,
                initial_poll_delay_ms=poll_ms,
                poll_ladder_ms=(poll_ms,),
            ),
        }


class DcuVendor(StubPull):
    """Tasks at DCUs over HTTP; any answer may be lost."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        super().__init__(lambda: "")
        self._url = url
        self._session = session

    async def send(self, message: DeviceMessage) -> str:
        """Create a task."""
        node = message.device.relay_node
        body = {"dcu": None if node is None else node.id, "message": message.id}
        try:
            return str((await self._ask("POST", "/tasks", body))["task"])
        except (aiohttp.ClientError, TimeoutError) as lost:
            raise SendFailed(FailureContext(reason=f"The vendor did not answer: {type(lost).__name__}")) from lost

    async def poll(self, message: DeviceMessage) -> DeviceEvent | None:
        """Ask for the result."""
        try:
            answer = await self._ask("GET", f"/tasks/{message.delivery_queue_id}")
        except (aiohttp.ClientError, TimeoutError) as lost:
            raise PollFailed(type(lost).__name__) from lost
        if not answer["done"]:
            return None
        return DeviceEvent(
            delivery_status=DeliveryStatus.DELIVERY_SUCCESSFUL,
            delivery_queue_id=message.delivery_queue_id,
            device=message.device,
            response=Response(status=ExecutionStatus.EXECUTION_SUCCESS),
        )

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        async with self._session.request(method, self._url + path, json=body) as answer:
            answer.raise_for_status()
            return await answer.json()


def marker(folder: Path, pid: int) -> Path:
    """Name the file that a process makes when it is at work."""
    return folder / f"{pid}.up"


def ingress_of(apply: ApplyDeviceEvent) -> web.Application:
    """Take what the network server posts; the answer comes when the effect is durable."""
    reader = ChirpStackIngress(lambda: None)

    async def take(request: web.Request) -> web.Response:
        news = reader.ingest(request.query.get("event"), await request.json())
        if news is not None:
            try:
                await apply(PLUGIN_ID, news)
            except Unavailable:
                return web.Response(status=503)
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/ingress", take)
    return app


async def main(wanted: Engine, folder: Path) -> None:
    """Run until SIGTERM."""
    logging.basicConfig(level=logging.WARNING)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    database = create_engine(wanted.url, pool_size=8)
    timeout = aiohttp.ClientTimeout(total=_VENDOR_ANSWERS_WITHIN_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        network = ChirpStackNetworkServer(
            ChirpStackApi(ChirpStackSettings(api_url=wanted.chirpstack, api_token=lambda: wanted.token))
        )
        plugins = PluginSet.of(push=[network], pull=[DcuVendor(wanted.dcu_url, session)], tunings=wanted.tunings())
        workshop = Workshop(
            begin=lambda: PostgresMessageStore(database),
            lanes=plugins.lanes,
            policy=POLICY,
            new_id=UlidFactory(SystemClock()),
            wakeups=DeafWakeUps(),
        )
        runner = web.AppRunner(ingress_of(ApplyDeviceEvent(workshop)), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", wanted.ingress_port, reuse_port=True).start()
        settings = EngineSettings(
            lease=timedelta(seconds=wanted.lease_s), tick=timedelta(milliseconds=250), max_sends=100, max_questions=10
        )
        engine = MessageEngine(workshop, plugins, settings)
        engine.start()
        marker(folder, os.getpid()).touch()
        await stopped.wait()
        await engine.stop()
        await runner.cleanup()
        await network.close()
    await database.dispose()


if __name__ == "__main__":
    file = Path(sys.argv[1])
    asyncio.run(main(Engine(**json.loads(file.read_text(encoding="utf-8"))), file.parent))
