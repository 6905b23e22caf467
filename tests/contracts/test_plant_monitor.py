"""One suite for the port ``PlantMonitor``: the fake, and the MQTT adapter against real brokers."""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

import pytest
from tests.support.mqtt import Gateways, LoopbackBroker, gateways, password_file, self_signed

from nxt_adapters.memory.telemetry import MemoryPlantMonitor
from nxt_adapters.victron import VictronMqttSettings, VictronPlantMonitor
from nxt_adapters.victron.messages import KEEP_ALIVE_BODY
from nxt_domain.telemetry.model import Phase, PowerReading
from nxt_domain.telemetry.ports import PlantMonitor

PATIENCE_S = 8.0


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something that another task brings about holds."""

    async def look() -> None:
        while not holds():  # noqa: ASYNC110 - the other side is a broker, which sets no event of ours
            await asyncio.sleep(0.01)

    await asyncio.wait_for(look(), PATIENCE_S)


class Heard:
    """Collects readings as a consumer does."""

    def __init__(self, monitor: PlantMonitor) -> None:
        self.readings: list[PowerReading] = []
        self.task = asyncio.create_task(self._collect(monitor))

    async def _collect(self, monitor: PlantMonitor) -> None:
        async for reading in monitor.readings():
            self.readings.append(reading)

    async def until(self, count: int) -> list[PowerReading]:
        await eventually(lambda: len(self.readings) >= count)
        return self.readings


class World(Protocol):
    """A monitor, and plants that speak."""

    monitor: PlantMonitor

    async def watch(self, *portal_ids: str) -> None:
        """Watch, and wait until the plants' next words will be heard."""

    def say(self, portal_id: str, phase: Phase, watts: float | None) -> None: ...


class MemoryWorld:
    def __init__(self) -> None:
        self.fake = MemoryPlantMonitor()
        self.monitor: PlantMonitor = self.fake

    async def watch(self, *portal_ids: str) -> None:
        await self.monitor.watch(portal_ids)

    def say(self, portal_id: str, phase: Phase, watts: float | None) -> None:
        self.fake.say(PowerReading(portal_id=portal_id, phase=phase, power_w=watts))


class MqttWorld:
    def __init__(self, url: str, plants: Gateways) -> None:
        self.monitor: PlantMonitor = VictronPlantMonitor(VictronMqttSettings(url=url, reconnect_s=(0.05, 0.2)))
        self.plants = plants
        self._watched: set[str] = set()

    async def watch(self, *portal_ids: str) -> None:
        before = len(self.plants.keep_alives)
        new = set(portal_ids) - self._watched
        self._watched = set(portal_ids)
        await self.monitor.watch(portal_ids)
        # A keep-alive follows each subscription on the same connection, so it tells that the broker knows of it.
        await eventually(lambda: len(self.plants.keep_alives) >= before + len(new))

    def say(self, portal_id: str, phase: Phase, watts: float | None) -> None:
        self.plants.power(portal_id, phase, json.dumps({"value": watts}).encode())


@pytest.fixture(params=["memory", "amqtt", "service"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    if request.param == "service":
        if not (url := os.environ.get("NXT_TEST_MQTT_URL")):
            pytest.skip("NXT_TEST_MQTT_URL is not set")
        async with gateways(url) as plants:
            yield MqttWorld(url, plants)
        return
    async with LoopbackBroker() as broker, gateways(broker.url) as plants:
        yield MqttWorld(broker.url, plants)


@pytest.fixture
def portals() -> tuple[str, str]:
    """Ids of this test's own, so that a shared broker does no harm."""
    return uuid.uuid4().hex[:12], uuid.uuid4().hex[:12]


async def test_readings_come_in_order(world: World, portals: tuple[str, str]) -> None:
    """[TEL-155] Watts by phase; null is unknown."""
    one, two = portals
    heard = Heard(world.monitor)
    await world.watch(one, two)
    said = [(one, Phase.L1, 400.0), (one, Phase.L2, 250.5), (two, Phase.L3, -3.0), (one, Phase.L1, None)]
    for portal, phase, watts in said:
        world.say(portal, phase, watts)
    await heard.until(4)
    await world.monitor.stop()
    assert [(r.portal_id, r.phase, r.power_w) for r in heard.readings] == said


async def test_only_watched_gateways_are_heard(world: World, portals: tuple[str, str]) -> None:
    """[TEL-152] [TEL-155] New gateways are subscribed, vanished ones dropped."""
    one, two = portals
    heard = Heard(world.monitor)
    await world.watch(one)
    world.say(two, Phase.L1, 1.0)
    world.say(one, Phase.L1, 2.0)
    await heard.until(1)
    await world.watch(two)
    world.say(one, Phase.L1, 3.0)
    world.say(two, Phase.L1, 4.0)
    await heard.until(2)
    await world.monitor.stop()
    assert [r.power_w for r in heard.readings] == [2.0, 4.0]


async def test_stopping_ends_the_readings(world: World, portals: tuple[str, str]) -> None:
    """What was said before is still delivered."""
    heard = Heard(world.monitor)
    await world.watch(portals[0])
    world.say(portals[0], Phase.L1, 1.0)
    await heard.until(1)
    await world.monitor.stop()
    await asyncio.wait_for(heard.task, PATIENCE_S)
    assert len(heard.readings) == 1


def monitor_of(broker: LoopbackBroker, **settings: object) -> VictronPlantMonitor:
    values: dict[str, object] = {"url": broker.url, "reconnect_s": (0.05, 0.2), **settings}
    return VictronPlantMonitor(VictronMqttSettings(**values))  # type: ignore[arg-type]  # checked by the settings


async def test_the_first_keep_alive_asks_for_everything() -> None:
    """[TEL-54] [TEL-159] Empty once, then with suppressed republication, to each gateway."""
    async with LoopbackBroker() as broker, gateways(broker.url) as plants:
        monitor = monitor_of(broker, keep_alive_s=0.1)
        await monitor.watch({"a1", "b2"})
        await eventually(lambda: len(plants.keep_alives) >= 6)
        await monitor.stop()
        for portal in ("a1", "b2"):
            bodies = [body for topic, body in plants.keep_alives if topic == f"R/{portal}/keepalive"]
            assert bodies[0] == b""
            assert set(bodies[1:]) == {KEEP_ALIVE_BODY}
    assert json.loads(KEEP_ALIVE_BODY) == {"keepalive-options": ["suppress-republish"]}


async def test_gateways_of_a_broker_share_one_connection() -> None:
    """[TEL-153]"""
    async with LoopbackBroker() as broker, gateways(broker.url) as plants:
        monitor = monitor_of(broker)
        await monitor.watch({f"portal{n}" for n in range(20)})
        await eventually(lambda: len(plants.keep_alives) >= 20)
        assert broker.sessions == 2  # the plants, and one for all gateways
        assert monitor.connections == {broker.url: True}
        await monitor.stop()
        await eventually(lambda: broker.sessions == 1)
        assert monitor.connections == {}


async def test_every_gateway_is_subscribed_again_after_the_broker_was_away() -> None:
    """[TEL-153] [TEL-54] [TEL-158] Nothing is heard meanwhile; the first keep-alive is empty again."""
    broker = LoopbackBroker()
    await broker.start()
    monitor = monitor_of(broker)
    heard = Heard(monitor)
    try:
        async with gateways(broker.url) as plants:
            await monitor.watch({"a1", "b2"})
            await eventually(lambda: len(plants.keep_alives) >= 2)
        await broker.stop()
        await eventually(lambda: monitor.connections == {broker.url: False})
        await monitor.watch({"a1", "b2", "c3"})  # a gateway that is new while the broker is away
        await broker.start()
        async with gateways(broker.url) as plants:
            await eventually(lambda: monitor.connections == {broker.url: True})
            await asyncio.sleep(0.1)
            for portal in ("a1", "b2", "c3"):
                plants.power(portal, "L1", b'{"value": 7}')
            assert {r.portal_id for r in await heard.until(3)} == {"a1", "b2", "c3"}
            assert {body for _, body in plants.keep_alives} <= {b""}
    finally:
        await monitor.stop()
        await broker.stop()


async def test_a_broker_that_is_not_there_yet_is_tried_for_ever() -> None:
    """[TEL-153] [TEL-208] ``watch`` does not wait for it."""
    broker = LoopbackBroker()
    monitor = monitor_of(broker)
    await asyncio.wait_for(monitor.watch({"a1"}), 0.5)
    await asyncio.sleep(0.3)
    await broker.start()
    await eventually(lambda: monitor.connections == {broker.url: True})
    await monitor.stop()
    await broker.stop()


async def test_nonsense_is_ignored_and_the_rest_is_heard() -> None:
    """[TEL-155] Malformed JSON, other topics, unknown phases."""
    async with LoopbackBroker() as broker, gateways(broker.url) as plants:
        monitor = monitor_of(broker)
        heard = Heard(monitor)
        await monitor.watch({"a1"})
        await eventually(lambda: len(plants.keep_alives) >= 1)
        for payload in (b"", b"{", b"[1]", b"\xff\xfe", b'"x"'):
            plants.power("a1", "L1", payload)
        plants.power("a1", "L4", b'{"value": 1}')
        plants.power("a1", "L1/deeper", b'{"value": 1}')
        plants.publish("N/a1/system/0/Ac/Grid/L1/Power", b'{"value": 1}')
        plants.power("a1", "L2", b'{"value": "many"}')
        plants.power("a1", "L3", b'{"value": 5}')
        assert [(r.phase, r.power_w) for r in await heard.until(2)] == [(Phase.L2, None), (Phase.L3, 5.0)]
        await monitor.stop()


async def test_certificates_are_verified(tmp_path: Path) -> None:
    """[TEL-53] An unknown authority is refused, and accepted once its anchor is given."""
    certificate = self_signed(tmp_path)
    async with LoopbackBroker(certificate=certificate) as broker:
        strict, trusting = monitor_of(broker), monitor_of(broker, ca_file=certificate)
        await strict.watch({"a1"})
        await trusting.watch({"a1"})
        await eventually(lambda: trusting.connections == {broker.url: True})
        assert strict.connections == {broker.url: False}
        await strict.stop()
        await trusting.stop()


async def test_a_consumer_that_is_too_slow_loses_the_oldest_readings() -> None:
    """Memory stays bounded, whatever the plants say."""
    async with LoopbackBroker() as broker, gateways(broker.url) as plants:
        monitor = monitor_of(broker, backlog=3)
        await monitor.watch({"a1"})
        await eventually(lambda: len(plants.keep_alives) >= 1)
        for watts in range(10):
            plants.power("a1", "L1", json.dumps({"value": watts}).encode())
        await asyncio.sleep(0.5)
        heard = Heard(monitor)
        assert [r.power_w for r in await heard.until(3)] == [7.0, 8.0, 9.0]
        await monitor.stop()


async def test_a_defect_of_a_connection_reaches_the_consumer() -> None:
    """Nothing dies in silence: a task that nobody awaits would."""
    monitor = VictronPlantMonitor(VictronMqttSettings(url="mqtt://127.0.0.1:9", reconnect_s=(0.01, 0.01)))
    heard = Heard(monitor)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nxt_adapters.victron.mqtt.gmqtt.Client", lambda *_, **__: 1 / 0)
        await monitor.watch({"a1"})
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(heard.task, PATIENCE_S)
    await monitor.stop()


@pytest.mark.parametrize(
    ("settings", "is_let_in"),
    [
        ({"username": "plant", "password": "right"}, True),
        ({"username": "plant", "password": "wrong"}, False),
        ({"username": "plant", "token": "secret"}, False),
        ({}, False),
    ],
)
async def test_a_broker_checks_who_we_are(tmp_path: Path, settings: dict[str, str], is_let_in: bool) -> None:
    """Section 5.2: a refusal is no reason to give up, as credentials may be mended on the other side."""
    async with LoopbackBroker(passwords=password_file(tmp_path, "plant", "right")) as broker:
        monitor = monitor_of(broker, **settings)
        await monitor.watch({"a1"})
        if is_let_in:
            await eventually(lambda: monitor.connections == {broker.url: True})
        else:
            await asyncio.sleep(0.5)
            assert monitor.connections == {broker.url: False}
        await monitor.stop()
