"""``nxt up``: a whole operator on one machine, from empty databases to paying villagers."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TextIO

import aiohttp
import attrs
import psycopg
from rich.console import Console
from rich.live import Live

from nxt_entrypoints.cli.options import UpOptions
from nxt_entrypoints.database.migrate import upgrade
from nxt_entrypoints.demo import world
from nxt_entrypoints.demo.environment import DemoAddresses, DemoSecrets, role_environment
from nxt_entrypoints.demo.figures import read_figures
from nxt_entrypoints.demo.live_view import render
from nxt_entrypoints.demo.traffic import Traffic
from nxt_entrypoints.demo.world import World
from nxt_entrypoints.embedded.data_dir import DataDir, sweep_abandoned
from nxt_entrypoints.embedded.stack import EmbeddedStack
from nxt_entrypoints.supervisor.child import ChildSpec
from nxt_entrypoints.supervisor.logstream import LogStream
from nxt_entrypoints.supervisor.runfile import RunFile, abandoned
from nxt_entrypoints.supervisor.supervisor import Supervisor, stop_signals

ROLES = ("telemetry", "jobs", "provisioning", "api")
_READY_WITHIN_S = 90.0
_TOO_LONG_TO_READ = frozenset({"access_token", "internal_api_key"})
Told = Callable[[str], None]
"""Hears one line about each step of the start."""


@attrs.frozen(kw_only=True)
class Running:
    """A demo that is up.

    Attributes:
        content: What ``nxt up --json`` prints (R7).
        supervisor: Its processes.
        since: When it was started, aware UTC.
    """

    content: Mapping[str, object]
    world: World
    supervisor: Supervisor
    since: datetime

    def url(self, role: str) -> str:
        """Where a role listens."""
        return _text(self.content["urls"], role)

    def simulator(self, name: str) -> str:
        """Where a simulator listens."""
        return _text(self.content["simulators"], name)


async def run(options: UpOptions) -> int:
    """Start everything, run until a stop signal, stop everything in order; return the exit status.

    Raises:
        EmbeddedError: A service or the data directory can't be had; one clear line.
        NotReady: A role does not come up.
    """
    console = Console(stderr=True)
    is_shown = console.is_terminal and not options.as_json
    with stop_signals() as stop:
        async with AsyncExitStack() as stack:
            sweep_abandoned(abandoned())
            data = stack.enter_context(DataDir(options.data))
            out = None if not (is_shown or options.as_json) else stack.enter_context(_log_file(data))
            logs = LogStream(("services", "simulators", *ROLES), out=out)
            tell = partial(_tell, None if options.as_json else console)
            running = await _start(options, stack, data, tell, logs)
            _announce(options, running, console)
            await _live(options, running, stop, console if is_shown else None)
            tell("stopping")
    return 0


async def _start(options: UpOptions, stack: AsyncExitStack, data: DataDir, tell: Told, logs: LogStream) -> Running:
    since = datetime.now(UTC)
    ports = world.choose_ports(data, {"api": options.port, "supabase": options.supabase_port})
    tell("starting PostgreSQL, Valkey and the MQTT broker")
    embedded = await stack.enter_async_context(EmbeddedStack(data, tell=partial(logs.write, "services")))
    tell("migrating both data planes")
    await asyncio.to_thread(upgrade, embedded.relational_url, "relational")
    await asyncio.to_thread(upgrade, embedded.series_url, "telemetry")
    tell("seeding the demo operator")
    demo_secrets = world.secrets_of(data)
    made = await world.prepare(embedded.relational_url, embedded.series_url, demo_secrets, data.path, since)
    addresses = world.addresses(embedded, ports)
    config = world.write_simulators(
        data, addresses, demo_secrets, ports, report_every_s=options.report_every_s, speed=options.speed
    )
    tell("starting the simulators and the four roles")
    tuning = None if options.min_interval_ms is None else {"minIntervalMs": options.min_interval_ms}
    environment = role_environment(addresses, demo_secrets, tuning=tuning)
    supervisor = await stack.enter_async_context(
        Supervisor(_children(environment, addresses, ports, config, options.log_level), logs)
    )
    await supervisor.until_ready(within_s=_READY_WITHIN_S)
    token = await _sign_in(addresses, demo_secrets, made, environment)
    content = world.describe(made, data.path, embedded, addresses, ports, demo_secrets, token)
    run_file = RunFile(data.path)
    run_file.write({**content, **_states(supervisor)})
    stack.callback(run_file.remove)
    return Running(content={**content, "pid": os.getpid()}, world=made, supervisor=supervisor, since=since)


def _states(supervisor: Supervisor) -> Mapping[str, object]:
    return {"roles": {status.name: status.as_json() for status in supervisor.statuses}}


def _children(
    environment: Mapping[str, str],
    addresses: DemoAddresses,
    ports: Mapping[str, int],
    simulators: Path,
    log_level: str,
) -> Sequence[ChildSpec]:
    base = {**_inherited(), **environment}
    urls = {
        "api": addresses.api,
        "provisioning": addresses.provisioning,
        "jobs": addresses.jobs,
        "telemetry": addresses.telemetry,
    }
    roles = [
        ChildSpec(
            name=role,
            command=(sys.executable, "-m", "nxt_entrypoints.cli.main", role, "--log-level", log_level),
            env={**base, ("PORT" if role == "provisioning" else "NXT_PORT"): str(ports[role])},
            base_url=urls[role],
        )
        for role in ROLES
    ]
    simulator = ChildSpec(
        name="simulators",
        command=(sys.executable, "-m", "nxt_entrypoints.simulators", "--config", str(simulators)),
        env=base,
    )
    return (simulator, *roles)


def _inherited() -> dict[str, str]:
    """Pass on what a process needs of its surroundings, and no configuration of another deployment."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "XDG_RUNTIME_DIR")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"PYTHONUNBUFFERED": "1"}


async def _sign_in(
    addresses: DemoAddresses, demo_secrets: DemoSecrets, made: World, environment: Mapping[str, str]
) -> str:
    """Get the demo's user a token, as a dashboard would; the simulators may need a moment to listen."""
    url = f"{addresses.supabase}/auth/v1/token?grant_type=password"
    body = {"email": made.email, "password": demo_secrets.password}
    async with aiohttp.ClientSession(headers={"apikey": environment["SUPABASE_ANON_KEY"]}) as session:
        for _ in range(100):
            with suppress(aiohttp.ClientConnectionError):
                async with session.post(url, json=body) as answer:
                    answer.raise_for_status()
                    return str((await answer.json())["access_token"])
            await asyncio.sleep(0.2)
    raise TimeoutError("the sign-in service does not answer")


def _tell(console: Console | None, step: str) -> None:
    if console is not None:
        console.print(f"[dim]nxt[/] {step}")


def _announce(options: UpOptions, running: Running, console: Console) -> None:
    if options.as_json:
        print(json.dumps(running.content), flush=True)  # noqa: T201 - the one line that scripts read (R7)
        return
    console.print("\n[bold]The demo operator is up.[/]")
    for name in ("urls", "simulators", "credentials"):
        facts = running.content[name]
        for key, value in facts.items() if isinstance(facts, dict) else ():
            if key not in _TOO_LONG_TO_READ:
                console.print(f"  {key:<18}{value}", highlight=False, soft_wrap=True)
    console.print(f"  {'live API docs':<18}{running.url('api')}/docs", highlight=False)
    console.print(f"  {'the rest':<18}nxt status --data {running.content['data']} --json\n", highlight=False)


async def _live(options: UpOptions, running: Running, stop: asyncio.Event, console: Console | None) -> None:
    tasks: list[asyncio.Task[None]] = []
    if options.traffic_per_minute > 0:
        tasks.append(asyncio.create_task(_traffic(options, running).run()))
    if console is not None:
        tasks.append(asyncio.create_task(_show(running, console)))
    try:
        await stop.wait()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _show(running: Running, console: Console) -> None:
    """Draw the live view every second; while the database is away the last picture stays."""
    with Live(console=console, refresh_per_second=2, screen=False) as live:
        while True:
            with suppress(psycopg.Error):
                url = str(running.content["relational_url"])
                async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
                    while True:
                        figures = await read_figures(
                            connection, organization_id=running.world.organization_id, since=running.since
                        )
                        states = {status.name: status.state.value for status in running.supervisor.statuses}
                        live.update(render(figures, since=running.since, roles=states))
                        await asyncio.sleep(1)
            await asyncio.sleep(1)


@contextmanager
def _log_file(data: DataDir) -> Iterator[TextIO]:
    """Keep the processes' output in the data directory while the screen shows something else."""
    with data.log_file("roles").open("a", encoding="utf-8") as file:
        yield file


def _traffic(options: UpOptions, running: Running) -> Traffic:
    villages: dict[int, list[str]] = {}
    for meter in running.world.meters:
        villages.setdefault(meter.grid_id, []).append(meter.external_reference)
    return Traffic(
        api_url=running.url("api"),
        gateway_url=running.simulator("flutterwave"),
        villages=list(villages.values()),
        per_minute=options.traffic_per_minute,
    )


def _text(facts: object, name: str) -> str:
    if not isinstance(facts, Mapping):
        raise TypeError("R7 gives objects here")
    return str(facts[name])
