"""The gateways' MQTT side: they publish while somebody keeps them alive [TEL-54, AUTO-32]."""

import asyncio
import logging
import ssl
import uuid
from collections.abc import Mapping
from urllib.parse import urlsplit

import gmqtt  # type: ignore[import-untyped]  # ships no types
import msgspec

from nxt_entrypoints.simulators.control import Clock, ControlPlane
from nxt_entrypoints.simulators.http_server import encode_json
from nxt_entrypoints.simulators.victron.plant import PlantState

logger = logging.getLogger(__name__)

KEEPALIVE_S = 60.0
_RECONNECT_S = (0.2, 5.0)
_CONNECT_S = 10.0
_DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}


class MqttGateways:
    """One connection to the broker, shared by the gateways of all simulated plants.

    Args:
        plants: the plants, by portal id.
        control: faults and log.
        broker_url: ``mqtt://[user:password@]host:port`` or ``mqtts://…``.
        clock: the present instant.
        publish_every_s: interval of changed values.
    """

    def __init__(
        self,
        plants: Mapping[str, PlantState],
        control: ControlPlane,
        *,
        broker_url: str,
        clock: Clock,
        publish_every_s: float,
    ) -> None:
        self._plants = plants
        self._control = control
        self._url = urlsplit(broker_url)
        if self._url.scheme not in _DEFAULT_PORTS or not self._url.hostname:
            raise ValueError("broker_url must be mqtt://host:port or mqtts://host:port")
        self._clock = clock
        self._every_s = publish_every_s
        self._alive_until: dict[str, float] = {}
        self._published: dict[str, dict[str, object]] = {portal: {} for portal in plants}
        self._client: gmqtt.Client | None = None

    async def run(self) -> None:
        """Stay connected and publish, until cancelled."""
        try:
            await self._connect()
            while True:
                await asyncio.sleep(self._every_s)
                for portal in self._plants:
                    self._publish(portal)
        finally:
            await self._disconnect()

    async def _connect(self) -> None:
        """Connect, however long the broker takes to come up; gmqtt reconnects from then on."""
        delay, longest = _RECONNECT_S
        while True:
            client = gmqtt.Client(f"simulated-gateways-{uuid.uuid4().hex[:12]}")
            client.set_config({"reconnect_retries": gmqtt.constants.UNLIMITED_RECONNECTS, "reconnect_delay": 1})
            client.on_connect = self._on_connect
            client.on_message = self._on_message
            if self._url.username:
                client.set_auth_credentials(self._url.username, self._url.password)
            try:
                async with asyncio.timeout(_CONNECT_S):
                    await client.connect(
                        self._url.hostname,
                        self._url.port or _DEFAULT_PORTS[self._url.scheme],
                        ssl=ssl.create_default_context() if self._url.scheme == "mqtts" else False,
                        version=gmqtt.constants.MQTTv311,
                    )
            except (OSError, gmqtt.MQTTConnectError) as error:  # a time-out is an OSError too
                logger.info("the simulated plants' broker is not there yet: %s", type(error).__name__)
                await client.disconnect()
                await asyncio.sleep(delay)
                delay = min(2 * delay, longest)
            else:
                self._client = client
                return

    async def _disconnect(self) -> None:
        if self._client is not None:
            await self._client.disconnect()
            self._client = None

    def _on_connect(self, client: gmqtt.Client, _flags: int, _result: int, _properties: object) -> None:
        for portal in self._plants:
            client.subscribe(f"R/{portal}/keepalive", qos=1)

    async def _on_message(
        self, client: gmqtt.Client, topic: str, payload: bytes, _qos: int, _properties: object
    ) -> int:
        portal = topic.split("/")[1]
        if portal not in self._plants or self._control.faults.down:
            return 0
        self._control.log.add("keepalive", portal=portal, body=payload.decode("utf-8", "replace"))
        self._client = self._client or client
        self._alive_until[portal] = asyncio.get_running_loop().time() + KEEPALIVE_S
        if not _suppresses_republish(payload):
            self._published[portal] = {}
        self._publish(portal)
        return 0

    def republish(self, portal: str) -> None:
        """Publish what has changed at once, if the gateway is kept alive."""
        self._publish(portal)

    def _publish(self, portal: str) -> None:
        """Publish the values that differ from what was published last."""
        plant, now = self._plants[portal], self._clock()
        plant.step(now)
        is_alive = self._alive_until.get(portal, 0.0) > asyncio.get_running_loop().time()
        client = self._client
        if client is None or not client.is_connected or not is_alive or self._control.faults.down:
            return
        known = self._published[portal]
        for topic, value in plant.values(now).items():
            if topic not in known or known[topic] != value:
                known[topic] = value
                self._send(client, f"N/{portal}/{topic}", value)

    def _send(self, client: gmqtt.Client, topic: str, value: float | None) -> None:
        control, faults = self._control, self._control.faults
        if control.hits(faults.loss_rate):
            return
        body = b'{"value": 12' if control.hits(faults.garbage_rate) else encode_json({"value": value})
        for _ in range(2 if control.hits(faults.duplicate_rate) else 1):
            client.publish(topic, body, qos=0)


def _suppresses_republish(payload: bytes) -> bool:
    """Tell whether a keep-alive asks for changes only; an empty body asks for everything."""
    try:
        body = msgspec.json.decode(payload) if payload else {}
    except msgspec.DecodeError:
        return False
    options = body.get("keepalive-options") if isinstance(body, dict) else None
    return isinstance(options, list) and "suppress-republish" in options
