"""The network server as one thing to start and stop."""

import asyncio

import attrs

from nxt_entrypoints.simulators.chirpstack.grpc_api import GrpcSide
from nxt_entrypoints.simulators.chirpstack.http_api import MeterHandles
from nxt_entrypoints.simulators.chirpstack.network import Network
from nxt_entrypoints.simulators.chirpstack.world import World
from nxt_entrypoints.simulators.control import Clock, ControlPlane, utc_now
from nxt_entrypoints.simulators.fleet import Fleet
from nxt_entrypoints.simulators.http_server import HttpSide
from nxt_entrypoints.simulators.state import StateStore
from nxt_entrypoints.simulators.webhooks import Poster, Tasks

_SAVE_EVERY_S = 5.0


@attrs.frozen(kw_only=True)
class ChirpStackConfig:
    """How the network server is set up.

    Attributes:
        grpc_port: 0 takes a free one.
        http_port: of the control side; 0 takes a free one.
        api_token: the bearer token of gRPC calls (``CHIRPSTACK_API_TOKEN``).
        event_url: where events go, e.g. ``http://127.0.0.1:8000/chirpstack/calin``; empty: nowhere.
        event_key: sent as ``X-API-KEY`` with events (``CHIRPSTACK_INGRESS_KEY``); empty: no header.
        application_id: what events name as application (``CHIRPSTACK_APPLICATION_ID``).
        tenant_id: what events name as tenant.
        profile_id: what events name as device profile (``CHIRPSTACK_PROFILE_ID``).
        report_every_s: interval of the meters' reports; 0 switches them off.
    """

    grpc_port: int = 0
    http_port: int = 0
    api_token: str
    event_url: str = ""
    event_key: str = ""
    application_id: str = "00000000-0000-4000-8000-0000000000a1"
    tenant_id: str = "00000000-0000-4000-8000-0000000000b1"
    profile_id: str = "00000000-0000-4000-8000-0000000000c1"
    report_every_s: float = 300.0


class ChirpStack:
    """A LoRaWAN network server with its villages.

    Args:
        config: ports, secrets and addresses.
        fleet: the villages.
        store: memory between runs.
        speed: divisor of the radio's delays.
        seed: start of faults and noise.
        clock: the present instant.
    """

    def __init__(
        self,
        config: ChirpStackConfig,
        fleet: Fleet,
        store: StateStore,
        *,
        speed: float = 1.0,
        seed: int = 0,
        clock: Clock = utc_now,
    ) -> None:
        self._config = config
        self.control = ControlPlane(seed=seed, clock=clock)
        self.world = World(
            fleet,
            store,
            clock=clock,
            seed=seed,
            tenant_id=config.tenant_id,
            application_id=config.application_id,
            profile_id=config.profile_id,
        )
        headers = {"X-API-KEY": config.event_key} if config.event_key else {}
        self._poster = Poster(self.control, config.event_url, headers, pace=speed)
        self.network = Network(self.world, self.control, self._poster, clock=clock, speed=speed)
        self.grpc = GrpcSide(self.network, self.control, config.api_token)
        self.http = HttpSide(self.control)
        MeterHandles(self.world, clock).add_to(self.http)
        self._tasks = Tasks()

    async def start(self) -> None:
        """Open both listeners and start the meters' reports."""
        await self.http.start(self._config.http_port)
        await self.grpc.start(self._config.grpc_port)
        self._tasks.start(self._save_regularly(), "save meters")
        if self._config.report_every_s > 0:
            self._tasks.start(self.network.report_rounds(self._config.report_every_s), "reports")

    async def stop(self) -> None:
        """Close the listeners, end the radio, and write the meters' states."""
        await self.grpc.stop()
        await self._tasks.stop()
        await self.network.stop()
        await self._poster.close()
        await self.http.stop()
        self.world.save()

    async def _save_regularly(self) -> None:
        while True:
            await asyncio.sleep(_SAVE_EVERY_S)
            self.world.save()
