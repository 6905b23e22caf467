"""The plants as one thing to start and stop: MQTT to a broker, VRM's REST API, and HTTP handles for tests."""

import attrs
from aiohttp import web

from nxt_entrypoints.simulators.control import Clock, ControlPlane, utc_now
from nxt_entrypoints.simulators.fleet import Fleet, InvalidFleetError, PlantDevice, structure
from nxt_entrypoints.simulators.http_server import (
    HttpSide,
    RefusedError,
    json_answer,
    plain_refusal,
    read_object,
)
from nxt_entrypoints.simulators.victron.gateway import MqttGateways
from nxt_entrypoints.simulators.victron.plant import PlantState
from nxt_entrypoints.simulators.victron.vrm import PREFIX, Vrm, VrmAccount
from nxt_entrypoints.simulators.webhooks import Tasks

_TOP_LOAD_W = 10_000_000
_KEYS = frozenset({"devices", "inverter_gone", "is_on", "load_w"})


@attrs.frozen(kw_only=True)
class VictronConfig:
    """How the plants are set up.

    Attributes:
        http_port: of the control side; 0 takes a free one.
        broker_url: the MQTT broker, e.g. ``mqtt://127.0.0.1:1883``.
        publish_every_s: interval at which changed values are published.
        account: who may read over VRM's REST API.
    """

    http_port: int = 0
    broker_url: str
    publish_every_s: float = 5.0
    account: VrmAccount = attrs.field(factory=VrmAccount)


class Victron:
    """The plants of all villages that have one.

    Args:
        config: broker and intervals.
        fleet: the villages.
        seed: start of faults and noise.
        clock: the present instant.
    """

    def __init__(self, config: VictronConfig, fleet: Fleet, *, seed: int = 0, clock: Clock = utc_now) -> None:
        self._config = config
        self._clock = clock
        self.control = ControlPlane(seed=seed, clock=clock)
        self.plants = {
            village.plant.portal_id: PlantState(village=village, seed=seed, at=clock())
            for village in fleet.villages
            if village.plant is not None
        }
        self._gateways = MqttGateways(
            self.plants,
            self.control,
            broker_url=config.broker_url,
            clock=clock,
            publish_every_s=config.publish_every_s,
        )
        self._tasks = Tasks()
        self.vrm = Vrm(self.plants, self.control, config.account, clock)
        self.http = HttpSide(self.control, vendor_prefixes=(PREFIX,))
        self.http.app.add_routes(
            [
                *self.vrm.routes(),
                web.get("/plant", self._list),
                web.get("/plant/{portal}", self._show),
                web.put("/plant/{portal}", self._change),
            ]
        )

    async def start(self) -> None:
        """Open the listener and go to the broker in the background."""
        await self.http.start(self._config.http_port)
        self._tasks.start(self._gateways.run(), "gateways")

    async def stop(self) -> None:
        """Leave the broker and close the listener."""
        await self._tasks.stop()
        await self.http.stop()

    async def _list(self, _request: web.Request) -> web.Response:
        return json_answer([self._as_json(portal) for portal in self.plants])

    async def _show(self, request: web.Request) -> web.Response:
        return json_answer(self._as_json(self._portal(request)))

    async def _change(self, request: web.Request) -> web.Response:
        portal = self._portal(request)
        body = await read_object(request, plain_refusal)
        if unknown := sorted(set(body) - _KEYS):
            raise plain_refusal(f"unknown keys: {', '.join(unknown)}; known: {', '.join(sorted(_KEYS))}")
        for key in ("is_on", "inverter_gone"):
            if not isinstance(body.get(key, False), bool):
                raise plain_refusal(f"{key} must be true or false")
        load = body.get("load_w")
        if load is not None and (isinstance(load, bool | str | list | dict) or not 0 <= load <= _TOP_LOAD_W):
            raise plain_refusal(f"load_w must be null or a number between 0 and {_TOP_LOAD_W}")
        devices = _devices(body["devices"]) if "devices" in body else None
        plant = self.plants[portal]
        plant.devices = plant.devices if devices is None else devices
        plant.is_on = body.get("is_on", plant.is_on)
        plant.is_inverter_gone = body.get("inverter_gone", plant.is_inverter_gone)
        if "load_w" in body:
            plant.load_w = None if load is None else float(load)
        self._gateways.republish(portal)
        return json_answer(self._as_json(portal))

    def _portal(self, request: web.Request) -> str:
        portal = request.match_info["portal"]
        if portal not in self.plants:
            raise RefusedError(404, {"error": f"no plant {portal}"})
        return portal

    def _as_json(self, portal: str) -> dict[str, object]:
        plant, now = self.plants[portal], self._clock()
        return {
            "portal_id": portal,
            "grid_id": plant.village.grid_id,
            "is_on": plant.is_on,
            "load_w": plant.load_w,
            "inverter_gone": plant.is_inverter_gone,
            "devices": plant.devices,
            "values": plant.values(now),
        }


def _devices(value: object) -> tuple[PlantDevice, ...]:
    try:
        return tuple(structure(value, list[PlantDevice]))
    except InvalidFleetError as error:
        raise plain_refusal(f"devices: {error}") from error
