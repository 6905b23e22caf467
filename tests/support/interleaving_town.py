"""Two hundred villages and fifty DCUs, four engines that die at random, and what everybody saw of it."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import psycopg
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.chirpstack.network_server import ChirpStackNetworkServer
from nxt_adapters.chirpstack.rpc import ChirpStackApi
from nxt_adapters.chirpstack.settings import PLUGIN_ID, ChirpStackSettings
from nxt_adapters.memory.plugins import StubPull
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.messages import PostgresDeviceMessages
from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_domain.messaging.model import CommandType, Device, NewMessage, RelayNode, RequestData
from nxt_domain.messaging.ports import Courier
from nxt_domain.shared.ids import UlidFactory
from nxt_domain.tokens.model import TokenClass, TokenRequest
from nxt_domain.tokens.test_vendor import TestTokenMaker
from nxt_entrypoints.simulators.chirpstack.simulator import ChirpStack, ChirpStackConfig
from nxt_entrypoints.simulators.fleet import Fleet, FleetMeter, Village
from nxt_entrypoints.simulators.process import Simulators, SimulatorsConfig
from tests.support.dcu_service import DcuService
from tests.support.interleaving_engine import POLICY, Engine, marker
from tests.support.messaging_engine_process import SystemClock
from tests.support.waiting import until

_API_TOKEN = "a-token-of-the-test"
_ROOT = Path(__file__).parents[2]

# Every claim of a spaced queue moves this instant: what engines were allowed, to be held against what vendors saw.
_NOTE_CLAIMS = """
    create table messaging.test_claims (ready_queue text, claimed_at timestamptz);
    grant insert on messaging.test_claims to nxt_app;
    create function messaging.test_note_claim() returns trigger language plpgsql as $$
    begin
        insert into messaging.test_claims values (new.ready_queue, new.last_claim_at);
        return new;
    end $$;
    create trigger test_note_claim after update of last_claim_at on messaging.admission
    for each row execute function messaging.test_note_claim();
"""


@attrs.frozen(kw_only=True)
class Size:
    """How much goes on.

    Attributes:
        networks: Villages with a LoRaWAN network each.
        meters: Of each village.
        messages: Of each meter; two of them are top-ups.
        dcus: Gateways of the other vendor.
        tasks: Messages through each of them.
        min_interval_ms: Spacing of a network.
        max_in_flight: Slots of a DCU.
        speed: Divisor of the radio's delays.
        lease_s: As of ``Engine``; so are the next three.
        engines: Processes.
        waiting: Messages of networks that are live at once, at most; so many posts follow as this machine can take, or
            halves of answers would lose each other.
        kills: How many engines are killed and replaced, spread over the whole run.
        within_s: When all must be over.
        loss_rate: Share of answers that get lost, of meters and of the other vendor.
    """

    networks: int
    meters: int
    messages: int
    dcus: int
    tasks: int
    min_interval_ms: int
    max_in_flight: int = 5
    speed: float
    lease_s: float
    answer_s: float
    radio_s: float
    poll_s: float
    engines: int = 4
    waiting: int
    kills: int
    within_s: float
    loss_rate: float = 0.2

    @property
    def total(self) -> int:
        """All messages."""
        return self.networks * self.meters * self.messages + self.dcus * self.tasks


def meter_number(network: int, place: int) -> str:
    """Name a meter: eleven digits."""
    return f"47{network:05d}{place:04d}"


def top_ups(number: str) -> Mapping[str, Decimal]:
    """Make the two tokens of a meter, and what each is worth, kWh."""
    return {
        TestTokenMaker().make(
            TokenRequest(
                token_class=TokenClass.TOP_UP,
                meter_number=number,
                issued_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute),
                nonce=0,
                energy_kwh=energy_kwh,
            )
        ): energy_kwh
        for minute, energy_kwh in enumerate((Decimal("5.5"), Decimal("7.3")), start=1)
    }


def _radio_messages(size: Size) -> Sequence[NewMessage]:
    made = []
    for network in range(1, size.networks + 1):
        for place in range(size.meters):
            number = meter_number(network, place)
            tokens = [*top_ups(number), *[None] * (size.messages - 2)]
            made += [_radio_message(network, number, token) for token in tokens]
    return made


def _radio_message(network: int, number: str, token: str | None) -> NewMessage:
    return NewMessage(
        command_type=CommandType.READ_CREDIT if token is None else CommandType.TOP_UP_KWH,
        priority=30 if token is None else 50,
        plugin_id=PLUGIN_ID,
        network_id=network,
        device=Device(external_reference=number),
        request_data=None if token is None else RequestData(token=token),
    )


def _dcu_messages(size: Size) -> Sequence[NewMessage]:
    return [
        NewMessage(
            command_type=CommandType.READ_CREDIT,
            priority=30,
            plugin_id=StubPull.plugin_id,
            network_id=None,
            device=Device(external_reference=f"48{dcu:09d}", relay_node=RelayNode(id=dcu)),
        )
        for dcu in range(1, size.dcus + 1)
        for _ in range(size.tasks)
    ]


class Town:
    """Vendors over sockets, engines as processes, and the books of both."""

    def __init__(self, size: Size, url: str, folder: Path, seed: int) -> None:
        self.size = size
        self.url = url
        self.kills = 0
        self.sent: dict[int, list[datetime]] = defaultdict(list)
        """Downlinks that the network server took, by network."""
        self.slots_taken: Counter[str] = Counter()
        """Most slots seen at once, by ready queue."""
        self._folder = folder
        self._dice = random.Random(seed)
        self._seed = seed
        self._processes: list[subprocess.Popen[bytes]] = []
        self._read_to = 0
        self._to_come = deque(self._dice.sample(made := _radio_messages(size), len(made)))
        self._database = create_engine(url, pool_size=2)
        self._new_id = UlidFactory(SystemClock())
        self._chirpstack: ChirpStack | None = None
        self.dcus = DcuService(loss_rate=size.loss_rate, seed=seed)

    @property
    def chirpstack(self) -> ChirpStack:
        """The network server."""
        assert self._chirpstack is not None
        return self._chirpstack

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Start vendors and engines; stop them in the end."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(_NOTE_CLAIMS)
        port = _free_port()
        config = SimulatorsConfig(
            fleet=_fleet(self.size), speed=self.size.speed, seed=self._seed, chirpstack=_radio(port)
        )
        async with Simulators(config) as simulators, self.dcus.listening() as dcu_url:
            self._chirpstack = simulators.chirpstack
            for device in self.chirpstack.world.devices.values():
                device.uplink_loss = self.size.loss_rate
            engine = Engine(
                url=self.url,
                chirpstack=self.chirpstack.grpc.target,
                token=_API_TOKEN,
                ingress_port=port,
                dcu_url=dcu_url,
                min_interval_ms=self.size.min_interval_ms,
                max_in_flight=self.size.max_in_flight,
                lease_s=self.size.lease_s,
                answer_s=self.size.answer_s,
                radio_s=self.size.radio_s,
                poll_s=self.size.poll_s,
            )
            (self._folder / "engine.json").write_text(json.dumps(attrs.asdict(engine)), encoding="utf-8")
            try:
                self._processes = [self._start() for _ in range(self.size.engines)]
                yield
            finally:
                for process in self._processes:
                    process.kill()
                    process.wait()

    async def _feed(self, radio_live: int) -> None:
        """Let further messages wait."""
        fresh = [self._to_come.popleft() for _ in range(min(self.size.waiting - radio_live, len(self._to_come)))]
        if fresh:
            await _enqueue(self._database, self._new_id, fresh)

    async def run(self) -> None:
        """Enqueue all; kill and replace engines, one after each so many ends; look at everything until none is live.

        Raises:
            AssertionError: Some still are after ``within_s``.
        """

        await _enqueue(self._database, self._new_id, _dcu_messages(self.size))

        async def is_over() -> bool:
            self._read_log()
            ended, is_live, radio_live = await asyncio.to_thread(self._look)
            await self._feed(radio_live)
            is_live = is_live or bool(self._to_come)
            if is_live and ended * (self.size.kills + 1) >= self.size.total * (self.kills + 1):
                await self._kill_one()
            return not is_live

        await until(is_over, self.size.within_s, "the end of all messages")
        await self._database.dispose()
        self._read_log()

    async def stop_engines(self) -> Sequence[int]:
        """End the engines politely; return their exit statuses."""
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        return await asyncio.gather(*(asyncio.to_thread(process.wait, 30) for process in self._processes))

    async def _kill_one(self) -> None:
        """Kill an engine that is at work, some moment later, and start another."""
        await asyncio.sleep(self._dice.uniform(0, 0.5))
        at_work = [place for place, process in enumerate(self._processes) if marker(self._folder, process.pid).exists()]
        if not at_work:
            return
        place = self._dice.choice(at_work)
        self._processes[place].kill()
        self._processes[place].wait()
        self.kills += 1
        self._processes[place] = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.support.interleaving_engine", str(self._folder / "engine.json")]
        environment = {**os.environ, "PYTHONPATH": f"{_ROOT}{os.pathsep}{_ROOT / 'src'}"}
        with (self._folder / "engines.log").open("ab") as log:
            return subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=log, stderr=log)

    def _look(self) -> tuple[int, bool, int]:
        """Note slots that are held at this moment.

        Returns:
            How many messages have ended, whether any is live, and how many of networks are.
        """
        for queue, count in self.rows(
            "select ready_queue, count(*) from messaging.device_messages where holds_slot group by 1"
        ):
            self.slots_taken[queue] = max(self.slots_taken[queue], count)
        ((ended, live, radio_live),) = self.rows(
            "select (select count(*) from messaging.message_archive), count(*), count(*) filter (where plugin_id = %s)"
            " from messaging.device_messages",
            PLUGIN_ID,
        )
        return ended, live > 0, radio_live

    def _read_log(self) -> None:
        """Read what the network server noted since the last time; it forgets in the end."""
        entries = self.chirpstack.control.log.after(self._read_to)
        for entry in entries:
            if entry["kind"] == "grpc" and entry["method"] == "Enqueue":
                network = int(str(entry["device"])[7:12])
                self.sent[network].append(datetime.fromisoformat(str(entry["at"])))
        if entries:
            first = int(str(entries[0]["n"]))
            assert first == self._read_to + 1, "the network server's log was read too late"
            self._read_to = int(str(entries[-1]["n"]))

    def claims(self) -> Mapping[int, Sequence[datetime]]:
        """Return the instants at which each network's messages were claimed, as the database noted them."""
        found: dict[int, list[datetime]] = defaultdict(list)
        for queue, at in self.rows(
            "select ready_queue, claimed_at from messaging.test_claims where ready_queue like %s order by claimed_at",
            f"queue:{PLUGIN_ID}:%",
        ):
            found[int(queue.rpartition(":")[2])].append(at)
        return found

    def rows(self, statement: str, *parameters: Any) -> list[Any]:
        """Ask the database."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(statement.encode(), parameters).fetchall()


async def _enqueue(database: AsyncEngine, new_id: UlidFactory, messages: Sequence[NewMessage]) -> None:
    network = ChirpStackNetworkServer(ChirpStackApi(ChirpStackSettings(api_url="unused:1", api_token=str)))
    couriers: dict[str, Courier] = {network.plugin_id: network, StubPull.plugin_id: StubPull(new_id)}
    async with PostgresTransaction(database) as transaction:
        queue = PostgresDeviceMessages(transaction.session, couriers=couriers, new_id=new_id, policy=POLICY)
        await queue.enqueue(messages)
        await transaction.commit()


def _fleet(size: Size) -> Fleet:
    return Fleet(
        villages=[
            Village(
                grid_id=network,
                gateways=[f"{network:016x}"],
                meters=[FleetMeter(number=meter_number(network, place)) for place in range(size.meters)],
            )
            for network in range(1, size.networks + 1)
        ]
    )


def _radio(ingress_port: int) -> ChirpStackConfig:
    return ChirpStackConfig(
        api_token=_API_TOKEN, event_url=f"http://127.0.0.1:{ingress_port}/ingress", report_every_s=0
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
