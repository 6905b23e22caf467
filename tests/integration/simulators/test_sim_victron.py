"""The plants over a real MQTT broker."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator

import gmqtt
import pytest
from amqtt.broker import Broker

from nxt_entrypoints.simulators.process import Simulators, SimulatorsConfig
from nxt_entrypoints.simulators.victron.simulator import VictronConfig

PORTAL = "c0619ab1a2b3"
SUPPRESS = json.dumps({"keepalive-options": ["suppress-republish"]})
POWER = f"N/{PORTAL}/system/0/Ac/ConsumptionOnOutput"


@pytest.fixture
async def broker(free_port) -> AsyncIterator[int]:
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{free_port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    yield free_port
    await broker.shutdown()


class Subscriber:
    """Listens as the telemetry role does, and keeps every message."""

    def __init__(self):
        self.messages = []
        self.client = gmqtt.Client(uuid.uuid4().hex)
        self.client.on_message = self._take

    async def _take(self, _client, topic, payload, _qos, _properties):
        self.messages.append((topic, payload))
        return 0

    async def connect(self, port, topic=f"N/{PORTAL}/#"):
        await self.client.connect("127.0.0.1", port, version=gmqtt.constants.MQTTv311)
        self.client.subscribe(topic, qos=0)
        await asyncio.sleep(0.1)

    def keepalive(self, body=""):
        self.client.publish(f"R/{PORTAL}/keepalive", body, qos=1)

    async def until(self, condition, *, ask=None):
        """Wait until the messages fulfil the condition, asking again now and then."""
        async with asyncio.timeout(10):
            while not condition(self.messages):
                if ask is not None:
                    self.keepalive(ask)
                await asyncio.sleep(0.05)

    def last(self, topic):
        return next((json.loads(body)["value"] for name, body in reversed(self.messages) if name == topic), None)


@pytest.fixture
async def subscriber(broker):
    subscriber = Subscriber()
    await subscriber.connect(broker)
    yield subscriber
    await subscriber.client.disconnect()


@pytest.fixture
async def url(broker, fleet):
    victron = VictronConfig(broker_url=f"mqtt://127.0.0.1:{broker}", publish_every_s=0.1)
    async with Simulators(SimulatorsConfig(fleet=fleet, victron=victron)) as sims:
        yield sims.urls["victron"]


def topics(messages):
    return {topic for topic, _ in messages}


async def test_a_gateway_is_silent_until_it_is_kept_alive(url, subscriber):
    """[AUTO-32] [TEL-54] Silence, then after an empty keep-alive every value once."""
    await asyncio.sleep(0.4)
    assert subscriber.messages == []
    await subscriber.until(lambda seen: f"N/{PORTAL}/system/0/Dc/Pv/Power" in topics(seen), ask="")
    await subscriber.until(lambda seen: {f"{POWER}/L{n}/Power" for n in (1, 2, 3)} <= topics(seen))
    assert 0 <= subscriber.last(f"N/{PORTAL}/system/0/Dc/Battery/Soc") <= 100
    assert subscriber.last(f"{POWER}/L1/Power") > 0


async def test_changes_are_published_and_republication_is_suppressed(url, subscriber, http):
    """[TEL-54] suppress-republish: only what changes; an empty body repeats everything."""
    fixed = f"N/{PORTAL}/system/0/Ac/ConsumptionOnOutput/NumberOfPhases"
    await subscriber.until(lambda seen: fixed in topics(seen), ask="")
    await asyncio.sleep(0.3)
    subscriber.messages.clear()
    subscriber.keepalive(SUPPRESS)
    async with http.put(f"{url}/plant/{PORTAL}", json={"load_w": 900}) as answer:
        assert (await answer.json())["values"]["system/0/Ac/ConsumptionOnOutput/L1/Power"] == 378
    await subscriber.until(lambda _seen: subscriber.last(f"{POWER}/L3/Power") == 225)
    assert [subscriber.last(f"{POWER}/L{n}/Power") for n in (1, 2, 3)] == [378, 297, 225]
    assert fixed not in topics(subscriber.messages)
    subscriber.keepalive("")
    await subscriber.until(lambda seen: fixed in topics(seen))


async def test_blackout_and_lost_inverter(url, subscriber, http):
    """[AUTO-33] [TEL-155] is_on false publishes 0 W, a gone inverter null, and light returns."""
    await subscriber.until(lambda _seen: subscriber.last(f"{POWER}/L1/Power"), ask="")
    async with http.put(f"{url}/plant/{PORTAL}", json={"is_on": False}) as answer:
        assert answer.status == 200
    await subscriber.until(lambda _seen: subscriber.last(f"{POWER}/L1/Power") == 0)
    await http.put(f"{url}/plant/{PORTAL}", json={"inverter_gone": True})
    await subscriber.until(lambda seen: (f"{POWER}/L1/Power", b'{"value":null}') in seen)
    await http.put(f"{url}/plant/{PORTAL}", json={"is_on": True, "inverter_gone": False})
    await subscriber.until(lambda _seen: subscriber.last(f"{POWER}/L1/Power"))


async def test_nonsense_is_refused(url, http):
    """[R33] Unknown plants 404, unknown or wrong members 400, with a text that names them."""
    async with http.put(f"{url}/plant/nowhere", json={}) as answer:
        assert answer.status == 404
    for body, says in (({"isOn": True}, "isOn"), ({"is_on": 1}, "is_on"), ({"load_w": -1}, "load_w")):
        async with http.put(f"{url}/plant/{PORTAL}", json=body) as answer:
            assert answer.status == 400
            assert says in (await answer.json())["error"]
    async with http.get(f"{url}/plant") as answer:
        assert [each["portal_id"] for each in await answer.json()] == [PORTAL]


async def test_faults(url, subscriber, http):
    """[R33] Duplicates, unreadable payloads, and silence while down."""
    await subscriber.until(lambda _seen: subscriber.last(f"{POWER}/L1/Power"), ask="")
    await http.put(f"{url}/control", json={"duplicate_rate": 1})
    await http.put(f"{url}/plant/{PORTAL}", json={"load_w": 500})
    wanted = (f"{POWER}/L1/Power", b'{"value":210.0}')
    await subscriber.until(lambda seen: seen.count(wanted) == 2)
    await http.put(f"{url}/control", json={"duplicate_rate": 0, "garbage_rate": 1})
    await http.put(f"{url}/plant/{PORTAL}", json={"load_w": 600})
    await subscriber.until(lambda seen: (f"{POWER}/L1/Power", b'{"value": 12') in seen)
    await http.put(f"{url}/control", json={"garbage_rate": 0, "down": True})
    await asyncio.sleep(0.2)
    subscriber.messages.clear()
    await http.put(f"{url}/plant/{PORTAL}", json={"load_w": 700})
    subscriber.keepalive("")
    await asyncio.sleep(0.3)
    assert subscriber.messages == []


async def test_the_broker_may_come_late(free_port, fleet):
    """The plants wait for their broker, as `nxt up` starts things side by side."""
    victron = VictronConfig(broker_url=f"mqtt://127.0.0.1:{free_port}", publish_every_s=0.1)
    async with Simulators(SimulatorsConfig(fleet=fleet, victron=victron)):
        await asyncio.sleep(0.3)
        broker = Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{free_port}"}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
            }
        )
        await broker.start()
        subscriber = Subscriber()
        await subscriber.connect(free_port)
        await subscriber.until(lambda _seen: subscriber.last(f"{POWER}/L1/Power"), ask="")
        await subscriber.client.disconnect()
    await broker.shutdown()


async def test_broker_addresses_are_checked(fleet):
    """[R32] Only mqtt:// and mqtts:// with a host."""
    for url in ("127.0.0.1:1883", "http://127.0.0.1", "mqtt://"):
        sims = Simulators(SimulatorsConfig(fleet=fleet, victron=VictronConfig(broker_url=url)))
        with pytest.raises(ValueError, match="broker_url"):
            await sims.start()
        await sims.stop()
