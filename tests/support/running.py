"""``nxt up`` as a process of its own, and what a test may ask of it: HTTP, both databases, simulators, sockets.

Each `Product` lives in a home of its own (temporary folder, runtime folder), so that nothing of it can be mistaken
for another one's, and what it leaves behind is found.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import attrs

from nxt_entrypoints.supervisor.leashed import leashed
from tests.support.answers import Answer, decode, encode, header_names
from tests.support.home import Home, command, command_line, descendants
from tests.support.planes import Planes
from tests.support.waiting import until

START_WITHIN_S = 90.0
STOP_WITHIN_S = 45.0
_PATIENCE_S = 4.0
_DELIVERED = """
    select count(*) from meter_interactions where order_id = any(%s) and meter_interaction_status = 'SUCCESSFUL'
"""
_HEALTHY = {
    "latency_ms": [0, 0],
    "down": False,
    "error_rate": 0,
    "garbage_rate": 0,
    "loss_rate": 0,
    "duplicate_rate": 0,
    "reorder_rate": 0,
    "seed": 1,
}
_TIMEOUT = aiohttp.ClientTimeout(total=20)
_dice = random.Random()


@attrs.frozen(kw_only=True)
class Purchase:
    """An order that the public page got, and maybe paid."""

    order_id: int
    reference: str
    meter: str
    amount: Decimal


def purchase_of(answer: Answer, meter: str, amount: int) -> Purchase:
    """Read the public page's answer."""
    return Purchase(
        order_id=answer.body["order_id"],
        reference=answer.body["external_reference"],
        meter=meter,
        amount=Decimal(amount),
    )


class Product(Planes):
    """A running ``nxt up``.

    Attributes:
        told: What it printed (R7).
        start_s: How long it took to get ready.
    """

    def __init__(self, home: Home, process: subprocess.Popen[str], told: Mapping[str, Any], start_s: float) -> None:
        self.home = home
        self.process = process
        self.told = told
        self.start_s = start_s

    @classmethod
    def start(cls, home: Home, *options: str) -> Product:
        """Start ``nxt up --json`` and wait for its line; it ends with us, however we end.

        To be called from the main thread, which holds the leash.
        """
        began = time.monotonic()
        errors = home.path / "stderr"
        with errors.open("a") as stderr:
            process = subprocess.Popen(
                leashed(command("up", "--json", *options), stop=signal.SIGTERM),
                env=home.environment,
                cwd=home.path / "cwd",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        line = _first_line(process, START_WITHIN_S)
        if not line:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            raise AssertionError(f"nxt up ended with {process.returncode}: {errors.read_text()[-2000:]}")
        return cls(home, process, json.loads(line), time.monotonic() - began)

    @property
    def data(self) -> Path:
        """Its data directory."""
        return Path(self.told["data"])

    def url(self, role: str) -> str:
        """Where a role listens."""
        return str(self.told["urls"][role])

    def simulator(self, name: str) -> str:
        """Where a simulator's handles are."""
        return str(self.told["simulators"][name])

    def meters(self, grid_id: int | None = None) -> list[str]:
        """Numbers of the seeded meters."""
        listed = self.told["demo"]["meters"]
        return [m["external_reference"] for m in listed if grid_id in {None, m["grid_id"]}]

    def grid_of(self, meter: str) -> int:
        """Id of a seeded meter's grid."""
        return next(m["grid_id"] for m in self.told["demo"]["meters"] if m["external_reference"] == meter)

    # -- ending ---------------------------------------------------------------------------------

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end and wait; return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"nxt up did not end within {STOP_WITHIN_S:g} s of {number.name}") from None
        if self.process.stdout is not None:
            self.process.stdout.close()
        return int(self.process.returncode)

    def listens(self) -> list[str]:
        """Addresses of those it told that still accept connections."""
        urls = [*self.told["urls"].values(), *self.told["simulators"].values()]
        urls += [self.told[name] for name in ("relational_url", "valkey_url", "mqtt_url")]
        return [url for url in urls if _accepts(url)]

    def shared_memory(self) -> set[str]:
        """Shared memory of its database: names of POSIX segments, ids of System V ones."""
        pid_file = (self.data / "postgres" / "postmaster.pid").read_text().splitlines()
        maps = Path(f"/proc/{pid_file[0]}/maps").read_text()
        names = {line.split()[5] for line in maps.splitlines() if "/dev/shm/" in line}
        return names | {f"sysv:{pid_file[6].split()[1]}"}

    # -- its processes --------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """What ``nxt status --json`` says."""
        done = self.home.run("status", "--data", str(self.data), "--json")
        return dict(json.loads(done.stdout))

    def pid_of(self, child: str) -> int:
        """Process id of a role, or of ``simulators``, ``postgres``, ``valkey``, as the kernel knows it."""
        marks = {
            "postgres": (str(self.data / "postgres"), "bin/postgres"),
            "valkey": ("valkey-server",),
            "simulators": ("nxt_entrypoints.simulators",),
        }
        wanted = marks.get(child, ("nxt_entrypoints.cli.main", f"\0{child}\0"))
        found = [pid for pid in descendants(self.process.pid) if all(mark in command_line(pid) for mark in wanted)]
        if not found:
            raise ProcessLookupError(child)
        return min(found)

    async def until_replaced(self, child: str, old_pid: int, within_s: float = 90.0) -> int:
        """Wait until another process has taken a killed one's place and is ready."""

        async def ready() -> int | None:
            try:
                pid = self.pid_of(child)
            except ProcessLookupError:
                return None
            if pid == old_pid:
                return None
            url = f"{self.simulator('chirpstack')}/healthz" if child == "simulators" else f"{self.url(child)}/readyz"
            return pid if (await self.get(url)).status == 200 else None

        return await until(ready, within_s, f"another process of {child}")

    def secret(self, name: str) -> str:
        """A credential of its data directory."""
        return str(json.loads((self.data / "credentials.json").read_text())[name])

    def logs(self) -> str:
        """Everything that its roles and simulators wrote so far."""
        return (self.data / "log" / "roles.log").read_text()

    # -- HTTP -----------------------------------------------------------------------------------

    async def call(
        self, method: str, url: str, body: object = None, *, data: bytes | None = None, **headers: str
    ) -> Answer:
        """Make a request; every call comes from a client address of its own (R8)."""
        content = data if data is not None else None if body is None else encode(body)
        given = {"X-Forwarded-For": address(), "Content-Type": "application/json", **header_names(headers)}
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.request(method, url, data=content, headers=given) as answer,
        ):
            text = await answer.text()
            return Answer(answer.status, decode(text), text)

    async def get(self, url: str, **headers: str) -> Answer:
        """Make a GET request; status 0: nobody answers."""
        try:
            return await self.call("GET", url, **headers)
        except (aiohttp.ClientError, TimeoutError):
            return Answer(0, None)

    async def post(self, path: str, body: object, **headers: str) -> Answer:
        """Post to the API role."""
        return await self.call("POST", self.url("api") + path, body, **headers)

    async def control(self, name: str, **faults: object) -> None:
        """Set a simulator's faults (R33)."""
        answer = await self.call("PUT", f"{self.simulator(name)}/control", faults)
        assert answer.status == 200, answer

    async def meter(self, number: str) -> Mapping[str, Any]:
        """The truth about a simulated meter."""
        return dict((await self.get(f"{self.simulator('chirpstack')}/meters/{number}")).body)

    async def simulator_log(self, name: str) -> Sequence[Mapping[str, Any]]:
        """What a simulator received so far."""
        return list((await self.get(f"{self.simulator(name)}/log?after=0")).body)

    # -- buying ---------------------------------------------------------------------------------

    async def initialise(self, meter: str, amount: object, **more: object) -> Answer:
        """Begin a purchase on the public page."""
        body = {
            "meter_external_reference": meter,
            "amount": amount,
            "currency": "NGN",
            "payment_channel": "NIFFLER",
            **more,
        }
        return await self.post("/orders/flutterwave/initialise/public", body)

    async def order(self, meter: str, amount: int) -> Purchase:
        """Begin a purchase that has to be accepted."""
        answer = await self.initialise(meter, amount)
        assert answer.status == 201, answer
        return purchase_of(answer, meter, amount)

    async def pay(self, purchase: Purchase, **more: object) -> None:
        """Pay at the gateway, which tells us by webhook."""
        body = {"tx_ref": purchase.reference, "amount": purchase.amount, "currency": "NGN", **more}
        answer = await self.call("POST", f"{self.simulator('flutterwave')}/pay", body)
        assert answer.status == 200, answer

    async def buy(self, meter: str, amount: int) -> Purchase:
        """Begin and pay."""
        purchase = await self.order(meter, amount)
        await self.pay(purchase)
        return purchase

    async def check(self, purchase: Purchase) -> Mapping[str, Any]:
        """What the public page shows."""
        answer = await self.post("/orders/flutterwave/check/public", {"id": purchase.order_id})
        assert answer.status == 201, answer
        return dict(answer.body)

    async def until_command(self, purchase: Purchase, status: str, within_s: float = 90.0) -> Mapping[str, Any]:
        """Wait until the public page shows a top-up command in a status."""

        async def reached() -> Mapping[str, Any] | None:
            view = await self.check(purchase)
            return view if view.get("directive_status") == status else None

        return await until(reached, within_s, f"{status} of order {purchase.order_id}")

    async def until_delivered(self, purchases: Sequence[Purchase], within_s: float = 150.0) -> None:
        """Wait until all top-ups are delivered; what would only wait for a clock is not waited for.

        Leases of processes that died, and patience with news that were posted while nobody listened, are made to end.
        """
        orders = [purchase.order_id for purchase in purchases]
        ends = time.monotonic() + within_s
        while time.monotonic() < ends:
            with contextlib.suppress(AssertionError):
                await self.until_value(len(orders), _DELIVERED, orders, within_s=_PATIENCE_S)
                return
            self.let_leases_lapse()
            self.let_patience_end()
        await self.until_value(len(orders), _DELIVERED, orders, within_s=0)

    # -- operators' commands ---------------------------------------------------------------------

    def doctor(self) -> subprocess.CompletedProcess[str]:
        """Run ``nxt doctor`` on it."""
        return self.home.run("doctor", "--data", str(self.data))

    def audit(self) -> subprocess.CompletedProcess[str]:
        """Run ``nxt ledger audit`` on it (R35)."""
        return self.home.run("ledger", "audit", "--data", str(self.data))


@contextlib.contextmanager
def product(*options: str) -> Iterator[Product]:
    """Run a product in a home of its own, with a data directory there."""
    home = Home()
    try:
        running = Product.start(home, "--data", str(home.path / "data"), *options)
        try:
            yield running
        finally:
            running.stop()
    finally:
        home.remove()


class Shared:
    """One quick product for many tests of one worker: no traffic of its own, little waiting (R9).

    Whoever breaks something mends it; `lend` looks after that.
    """

    OPTIONS = ("--no-traffic", "--min-interval-ms", "20", "--speed", "20")

    def __init__(self) -> None:
        self._running: Product | None = None
        self._stack = contextlib.ExitStack()

    def lend(self) -> Product:
        """Hand it out, started if need be, with all roles ready and no fault in any simulator."""
        if self._running is None:
            self._running = self._stack.enter_context(product(*self.OPTIONS))
        asyncio.run(_mended(self._running))
        return self._running

    def stop(self) -> None:
        """End it; a second time does nothing."""
        self._running = None
        self._stack.close()


SHARED = Shared()


@contextlib.contextmanager
def alone() -> Iterator[Home]:
    """A home for a product of the test's own; the shared one ends, so that a worker runs one at a time."""
    SHARED.stop()
    home = Home()
    try:
        yield home
    finally:
        home.remove()


async def _mended(running: Product) -> None:
    for name in ("chirpstack", "flutterwave", "victron", "sms"):
        await running.control(name, **_HEALTHY)
    for role in ("api", "provisioning", "jobs", "telemetry"):

        async def ready(url: str = f"{running.url(role)}/readyz") -> bool:
            return (await running.get(url)).status == 200

        await until(ready, 40, f"{role} to be ready")


@contextlib.asynccontextmanager
async def listening(product_: Product, grid_id: int) -> AsyncIterator[list[Mapping[str, Any]]]:
    """Sit in a grid's room with a real Socket.IO client; yields what it hears, as it comes."""
    import socketio  # type: ignore[import-untyped]  # noqa: PLC0415 - ships no types; only these tests need it

    heard: list[Mapping[str, Any]] = []
    client = socketio.AsyncClient()
    client.on("meter-interaction", heard.append)
    await client.connect(product_.url("api"), transports=["websocket"])
    try:
        assert await client.call("join", {"grid_id": grid_id}) == "ok"
        yield heard
    finally:
        await client.disconnect()


def address() -> str:
    """Some client's address."""
    return ".".join(str(_dice.randint(1, 254)) for _ in range(4))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _first_line(process: subprocess.Popen[str], within_s: float) -> str:
    assert process.stdout is not None
    watchdog = _Watchdog(process, within_s)
    with watchdog:
        return process.stdout.readline()


class _Watchdog:
    """Kills a process that is silent for too long, so that a read of its output ends."""

    def __init__(self, process: subprocess.Popen[str], within_s: float) -> None:
        import threading  # noqa: PLC0415 - of this helper alone

        self._timer = threading.Timer(within_s, process.kill)

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()


def _accepts(url: str) -> bool:
    parts = urlsplit(url)
    with contextlib.suppress(OSError), socket.create_connection((parts.hostname or "", parts.port or 0), timeout=1):
        return True
    return False
