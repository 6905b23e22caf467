"""The port ``PlantMonitor`` over Victron's MQTT brokers (telemetry 5.2 and 13.1)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import uuid
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Collection, Mapping
from urllib.parse import SplitResult, urlsplit

import gmqtt  # type: ignore[import-untyped]  # ships no types
from gmqtt.mqtt.constants import MQTTv311  # type: ignore[import-untyped]  # ships no types

from nxt_adapters.victron.messages import KEEP_ALIVE_BODY, keep_alive_topic, parse_power, power_topic
from nxt_adapters.victron.settings import VictronMqttSettings
from nxt_domain.shared.errors import UpstreamFailed
from nxt_domain.telemetry.model import PowerReading

_log = logging.getLogger(__name__)

# The library's own log repeats what is told here, at the level of errors.
_library_log = logging.getLogger(f"{__name__}.gmqtt")
_library_log.setLevel(logging.CRITICAL)

_NEVER = -2
"""Number of the library's own reconnects; -1 would mean no limit, and 0 one attempt."""


class VictronPlantMonitor:
    """Live power of plants from Victron's brokers, one connection to each broker; see ``PlantMonitor``.

    Args:
        settings: Brokers, credentials, intervals.
    """

    def __init__(self, settings: VictronMqttSettings) -> None:
        self._settings = settings
        self._links: dict[str, _BrokerLink] = {}
        self._readings = _Backlog(settings.backlog)

    @property
    def connections(self) -> Mapping[str, bool]:
        """Whether each broker in use is connected now, by its address."""
        return {address: link.is_connected for address, link in self._links.items()}

    async def watch(self, portal_ids: Collection[str]) -> None:
        """See ``PlantMonitor.watch``."""
        wanted: dict[str, set[str]] = defaultdict(set)
        for portal_id in portal_ids:
            wanted[self._settings.broker_of(portal_id)].add(portal_id)
        gone = [self._links.pop(address) for address in self._links.keys() - wanted.keys()]
        await asyncio.gather(*(link.stop() for link in gone))
        for address, portals in wanted.items():
            if address not in self._links:
                self._links[address] = _BrokerLink(address, self._settings, self._readings)
            self._links[address].follow(portals)

    async def readings(self) -> AsyncIterator[PowerReading]:
        """See ``PlantMonitor.readings``."""
        while (reading := await self._readings.next()) is not None:
            yield reading

    async def stop(self) -> None:
        """See ``PlantMonitor.stop``."""
        await self.watch(())
        self._readings.end()

    async def check(self, portal_id: str) -> str:
        """Let the broker of a gateway let us in, for ``nxt doctor``; return one line on what was found.

        Raises:
            UpstreamFailed: It can't be reached, or refuses our credentials.
        """
        address, client = urlsplit(self._settings.broker_of(portal_id)), _client_of(self._settings)
        try:
            await _enter(client, address, self._settings)
        except (OSError, gmqtt.MQTTConnectError) as error:  # a time-out is an OSError too
            raise UpstreamFailed(f"broker {address.hostname}: {str(error) or type(error).__name__}") from error
        finally:
            with contextlib.suppress(OSError):
                await client.disconnect()
        return f"broker {address.hostname} lets us in"


class _Backlog:
    """Readings on their way to the consumer; when it is too slow, the oldest give way to the newest."""

    def __init__(self, limit: int) -> None:
        self._held: deque[PowerReading] = deque(maxlen=limit)
        self._changed = asyncio.Event()
        self._is_ended = False
        self._defect: BaseException | None = None

    def put(self, reading: PowerReading) -> None:
        if len(self._held) == self._held.maxlen:
            _log.warning("plants report faster than they are followed; the oldest reading is dropped")
        self._held.append(reading)
        self._changed.set()

    def end(self) -> None:
        self._is_ended = True
        self._changed.set()

    def fail(self, defect: BaseException) -> None:
        """Let the consumer fail with a defect of a connection's task, which nobody else awaits."""
        self._defect = defect
        self._changed.set()

    async def next(self) -> PowerReading | None:
        """Wait for the next reading; None when the monitor has stopped and all were taken."""
        while not self._held:
            if self._defect is not None:
                raise self._defect
            if self._is_ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._held.popleft()


class _BrokerLink:
    """A connection to one broker that is made again for ever, with the gateways that it serves."""

    def __init__(self, address: str, settings: VictronMqttSettings, backlog: _Backlog) -> None:
        self._address = urlsplit(address)
        self._settings = settings
        self._backlog = backlog
        self._portals: frozenset[str] = frozenset()
        self._client: gmqtt.Client | None = None
        self._task = asyncio.create_task(self._run(), name=f"victron {self._address.hostname}")
        self._task.add_done_callback(self._tell_defect)

    @property
    def is_connected(self) -> bool:
        return self._client is not None

    def follow(self, portals: Collection[str]) -> None:
        """Change the set of gateways."""
        before, self._portals = self._portals, frozenset(portals)
        if self._client is not None:
            for portal in sorted(self._portals - before):
                self._subscribe(self._client, portal)
            for portal in sorted(before - self._portals):
                self._client.unsubscribe(power_topic(portal))

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _tell_defect(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (defect := task.exception()) is not None:
            self._backlog.fail(defect)

    async def _run(self) -> None:
        shortest, longest = self._settings.reconnect_s
        pause = shortest
        while True:
            lost = asyncio.Event()
            client = self._new_client(lost)
            try:
                await self._connect(client)
                pause = shortest
                await self._stay(client, lost)
                _log.warning("broker %s: connection lost", self._address.hostname)
            except (OSError, gmqtt.MQTTConnectError) as error:  # a time-out is an OSError too
                _log.warning("broker %s: %s", self._address.hostname, str(error) or type(error).__name__)
            finally:
                self._client = None
                with contextlib.suppress(OSError):
                    await client.disconnect()
            # Up to a quarter more, at random: gateways' brokers must not be stormed in step after an outage.
            await asyncio.sleep(pause * random.uniform(1.0, 1.25))  # noqa: S311 - jitter is no secret
            pause = min(2 * pause, longest)

    def _new_client(self, lost: asyncio.Event) -> gmqtt.Client:
        client = _client_of(self._settings)
        client.on_message = self._on_message
        client.on_disconnect = lambda *_: lost.set()
        return client

    async def _connect(self, client: gmqtt.Client) -> None:
        await _enter(client, self._address, self._settings)
        self._client = client
        _log.info("broker %s: connected for %d gateways", self._address.hostname, len(self._portals))
        for portal in sorted(self._portals):
            self._subscribe(client, portal)

    async def _stay(self, client: gmqtt.Client, lost: asyncio.Event) -> None:
        """Keep gateways publishing until the connection is lost [TEL-159]."""
        while not lost.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.keep_alive_s):
                    await lost.wait()
            if not lost.is_set():
                for portal in sorted(self._portals):
                    self._keep_alive(client, portal, KEEP_ALIVE_BODY)

    def _subscribe(self, client: gmqtt.Client, portal: str) -> None:
        client.subscribe(power_topic(portal), qos=0)
        self._keep_alive(client, portal, b"")

    def _keep_alive(self, client: gmqtt.Client, portal: str, body: bytes) -> None:
        try:
            client.publish(keep_alive_topic(portal), body, qos=1)
        except (OSError, OverflowError) as error:  # the library runs out of message ids when nothing is acknowledged
            _log.warning("gateway %s: keep-alive failed: %s", portal, type(error).__name__)

    def _on_message(self, _client: gmqtt.Client, topic: str, payload: bytes, _qos: int, _properties: object) -> int:
        reading = parse_power(topic, payload)
        if reading is not None and reading.portal_id in self._portals:
            self._backlog.put(reading)
        return 0


def _client_of(settings: VictronMqttSettings) -> gmqtt.Client:
    client = gmqtt.Client(f"nxt-{uuid.uuid4().hex}", clean_session=True, logger=_library_log)
    client.set_config({"reconnect_retries": _NEVER})  # this module does it, with back-off
    if settings.username:
        client.set_auth_credentials(settings.username, settings.secret)
    return client


async def _enter(client: gmqtt.Client, broker: SplitResult, settings: VictronMqttSettings) -> None:
    async with asyncio.timeout(settings.connect_timeout_s):
        await client.connect(broker.hostname, settings.port_of(broker), ssl=settings.tls(broker), version=MQTTv311)
