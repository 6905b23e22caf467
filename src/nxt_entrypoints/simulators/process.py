"""All simulators in one process: started together, stopped together, their state kept between runs."""

import asyncio
import logging
import os
import signal
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import attrs
import msgspec

from nxt_entrypoints.simulators.calin_v1.simulator import CalinV1, CalinV1Config
from nxt_entrypoints.simulators.calin_v2.accounts import CalinV2Config
from nxt_entrypoints.simulators.calin_v2.simulator import CalinV2
from nxt_entrypoints.simulators.chirpstack.simulator import ChirpStack, ChirpStackConfig
from nxt_entrypoints.simulators.control import Clock, utc_now
from nxt_entrypoints.simulators.fleet import Fleet, structure
from nxt_entrypoints.simulators.flutterwave.simulator import Flutterwave, FlutterwaveConfig
from nxt_entrypoints.simulators.http_server import HttpSide, encode_json
from nxt_entrypoints.simulators.paystack.simulator import Paystack, PaystackConfig
from nxt_entrypoints.simulators.sms.simulator import SmsConfig, SmsGateway
from nxt_entrypoints.simulators.state import StateStore
from nxt_entrypoints.simulators.sts.service import StsService, StsServiceConfig
from nxt_entrypoints.simulators.supabase.simulator import Supabase, SupabaseConfig
from nxt_entrypoints.simulators.supabase.users import UserStore
from nxt_entrypoints.simulators.victron.simulator import Victron, VictronConfig

logger = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class SimulatorsConfig:
    """What to simulate. A part that is left out isn't started.

    Attributes:
        fleet: the villages; or
        fleet_path: the file that describes them (`Fleet.load`), used when ``fleet`` is empty.
        data_dir: where state is kept; empty: in memory only.
        speed: divisor of the delays of radio and couriers; meters' clocks and loads stay real.
        seed: start of every fault and all noise.
        chirpstack: the LoRaWAN network server.
        flutterwave: the payment gateway.
        paystack: another payment gateway.
        victron: the solar plants.
        sms: the SMS gateway.
        supabase: the sign-in service.
        sts: the service that makes prepayment tokens.
        calin_v1: the meter maker's cloud of the first generation.
        calin_v2: that of the second.
    """

    fleet: Fleet = attrs.field(factory=Fleet)
    fleet_path: str = ""
    data_dir: str = ""
    speed: float = 1.0
    seed: int = 0
    chirpstack: ChirpStackConfig | None = None
    flutterwave: FlutterwaveConfig | None = None
    paystack: PaystackConfig | None = None
    victron: VictronConfig | None = None
    sms: SmsConfig | None = None
    supabase: SupabaseConfig | None = None
    sts: StsServiceConfig | None = None
    calin_v1: CalinV1Config | None = None
    calin_v2: CalinV2Config | None = None

    def __attrs_post_init__(self) -> None:
        if not self.speed > 0:
            raise ValueError("speed must be positive")

    @classmethod
    def load(cls, path: Path) -> "SimulatorsConfig":
        """Read a configuration file (JSON).

        Raises:
            InvalidFleetError: a member is unknown, missing, or of the wrong type.
        """
        return structure(msgspec.json.decode(path.read_bytes()), cls)

    def save(self, path: Path) -> None:
        """Write a configuration file; it holds secrets, so only its owner may read it."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(encode_json(self))


class Simulator(Protocol):
    """One vendor."""

    http: HttpSide

    async def start(self) -> None:
        """Open the listeners."""
        ...

    async def stop(self) -> None:
        """Close them and write the state."""
        ...


class Simulators:
    """The configured simulators, as an async context manager.

    Args:
        config: which, and how.
        users: logins for the sign-in service, in place of its database.
        clock: the present instant.
    """

    def __init__(self, config: SimulatorsConfig, *, users: UserStore | None = None, clock: Clock = utc_now) -> None:
        self.config = config
        self._users = users
        self._clock = clock
        self._store: StateStore | None = None
        self._started: list[Simulator] = []
        self.urls: dict[str, str] = {}
        self.chirpstack: ChirpStack | None = None
        self.flutterwave: Flutterwave | None = None
        self.paystack: Paystack | None = None
        self.victron: Victron | None = None
        self.sms: SmsGateway | None = None
        self.supabase: Supabase | None = None
        self.sts: StsService | None = None
        self.calin_v1: CalinV1 | None = None
        self.calin_v2: CalinV2 | None = None

    async def start(self) -> None:
        """Start everything; after a failure everything started so far is stopped again."""
        config = self.config
        fleet = Fleet.load(Path(config.fleet_path)) if config.fleet_path else config.fleet
        store = StateStore(Path(config.data_dir) if config.data_dir else None)
        self._store = store
        self._build(fleet, store)
        try:
            for name, simulator in self._parts().items():
                self._started.append(simulator)
                await simulator.start()
                self.urls[name] = simulator.http.url
        except BaseException:
            await self.stop()
            raise
        if self.chirpstack is not None:
            self.urls["chirpstack_grpc"] = self.chirpstack.grpc.target

    def _build(self, fleet: Fleet, store: StateStore) -> None:
        config, seed, speed, clock = self.config, self.config.seed, self.config.speed, self._clock
        if config.chirpstack is not None:
            self.chirpstack = ChirpStack(config.chirpstack, fleet, store, speed=speed, seed=seed, clock=clock)
        if config.flutterwave is not None:
            self.flutterwave = Flutterwave(config.flutterwave, store, speed=speed, seed=seed, clock=clock)
        if config.paystack is not None:
            self.paystack = Paystack(config.paystack, store, speed=speed, seed=seed, clock=clock)
        if config.victron is not None:
            self.victron = Victron(config.victron, fleet, seed=seed, clock=clock)
        if config.sms is not None:
            self.sms = SmsGateway(config.sms, speed=speed, seed=seed, clock=clock)
        if config.supabase is not None:
            self.supabase = Supabase(config.supabase, store, users=self._users, seed=seed, clock=clock)
        if config.sts is not None:
            self.sts = StsService(config.sts, seed=seed, clock=clock)
        if config.calin_v1 is not None:
            self.calin_v1 = CalinV1(config.calin_v1, fleet, store, speed=speed, seed=seed, clock=clock)
        if config.calin_v2 is not None:
            self.calin_v2 = CalinV2(config.calin_v2, fleet, store, speed=speed, seed=seed, clock=clock)

    def _parts(self) -> dict[str, Simulator]:
        parts: dict[str, Simulator | None] = {
            "chirpstack": self.chirpstack,
            "flutterwave": self.flutterwave,
            "paystack": self.paystack,
            "victron": self.victron,
            "sms": self.sms,
            "supabase": self.supabase,
            "sts": self.sts,
            "calin_v1": self.calin_v1,
            "calin_v2": self.calin_v2,
        }
        return {name: part for name, part in parts.items() if part is not None}

    async def stop(self) -> None:
        """Stop everything, last started first, and close the state file."""
        while self._started:
            await self._started.pop().stop()
        if self._store is not None:
            self._store.close()
            self._store = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


async def run(config: SimulatorsConfig, *, ready_fd: int | None = None) -> None:
    """Run until SIGTERM or SIGINT.

    Args:
        config: what to simulate.
        ready_fd: a file descriptor that gets one JSON line ``{"pid", "urls"}`` when all listeners
            are open, and is closed then; None writes the line to standard output.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with Simulators(config) as simulators:
        line = encode_json({"pid": os.getpid(), "urls": simulators.urls}) + b"\n"
        os.write(1 if ready_fd is None else ready_fd, line)
        if ready_fd is not None and ready_fd > 2:
            os.close(ready_fd)
        logger.info("simulators are ready")
        await stopped.wait()
