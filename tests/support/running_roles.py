"""Roles of this process, as ``nxt run`` starts them, over real stores, in a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self
from uuid import UUID

import attrs
import structlog
from aiohttp import web

from nxt_entrypoints.container import Container
from nxt_entrypoints.demo.environment import DemoAddresses, DemoSecrets, new_secrets, role_environment
from nxt_entrypoints.roles.api import start_api
from nxt_entrypoints.roles.base import Process
from nxt_entrypoints.roles.jobs import start_jobs
from nxt_entrypoints.roles.provisioning import start_provisioning
from nxt_entrypoints.roles.telemetry import start_telemetry
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.settings.roles import Role
from nxt_entrypoints.simulators.flutterwave.simulator import FlutterwaveConfig
from nxt_entrypoints.simulators.flutterwave.webhook import Merchant
from nxt_entrypoints.simulators.process import Simulators, SimulatorsConfig
from nxt_entrypoints.simulators.supabase.sessions import project_key
from nxt_entrypoints.simulators.supabase.simulator import SupabaseConfig
from nxt_entrypoints.simulators.supabase.users import AuthUser

NOWHERE = "http://127.0.0.1:9"
_NO_SERIES = "postgresql://nxt:unused@127.0.0.1:9/series"
_PATIENCE_S = 30


class RunningRoles:
    """A context in which roles answer at ``urls``; identity provider and payment gateway are simulated, and other roles
    that are called take whatever they are told.

    Args:
        relational_url: A migrated database.
        valkey_url: An empty Valkey.
        series_url: A migrated series database, for the telemetry role.
        roles: Which.
        security: Switches of the artifact that differ from the demo's.
        environ: Variables that the demo does not have.
    """

    def __init__(
        self,
        relational_url: str,
        valkey_url: str,
        series_url: str = _NO_SERIES,
        *,
        roles: Sequence[Role] = (Role.API,),
        security: Mapping[str, object] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.secrets: DemoSecrets = new_secrets()
        self._ports = {role: _free_port() for role in roles}
        self.urls: Mapping[Role, str] = {role: f"http://127.0.0.1:{port}" for role, port in self._ports.items()}
        self._stores = {"relational_url": relational_url, "valkey_url": valkey_url, "series_url": series_url}
        self._security = security or {}
        self._environ = environ or {}
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._stop: asyncio.Event | None = None
        self._vendors: Simulators | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="roles", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(_PATIENCE_S) or self._failure is not None:
            raise RuntimeError("the roles did not start") from self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        try:
            with quiet():
                asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - told to whoever waits
            self._failure = error
            self._ready.set()

    def session_of(self, login: str) -> str:
        """Open a session at the identity provider and return its id, which a token names."""

        async def begin() -> str:
            assert self._vendors is not None
            assert self._vendors.supabase is not None
            session, _ = self._vendors.supabase._desk.sessions.begin(AuthUser(id=UUID(login)))
            return session.id

        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(begin(), self._loop).result(_PATIENCE_S)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        others = web.AppRunner(_obedient())
        await others.setup()
        await web.TCPSite(others, "127.0.0.1", 0).start()
        other_role = f"http://127.0.0.1:{others.addresses[0][1]}"
        async with Simulators(self._outside()) as vendors:
            self._vendors = vendors
            outside = {
                **dict.fromkeys(("api", "provisioning", "jobs", "telemetry"), other_role),
                "supabase": vendors.urls["supabase"],
                "flutterwave": vendors.urls["flutterwave"],
                "chirpstack_grpc": "127.0.0.1:9",
                "mqtt_url": "mqtt://127.0.0.1:9",
            }
            settings = load_settings(self._environment(outside), list(self._ports))
            async with Process(settings, Container(settings=settings)) as process:
                await self._start(process)
                self._ready.set()
                await self._stop.wait()
                await process.finish()
        await others.cleanup()

    def _outside(self) -> SimulatorsConfig:
        merchant = Merchant(secret_key=self.secrets.flutterwave_secret_key)
        identity = SupabaseConfig(
            jwt_secret=self.secrets.jwt_secret,
            anon_key=project_key(self.secrets.jwt_secret, "anon"),
            service_role_key=project_key(self.secrets.jwt_secret, "service_role"),
            relational_url=self._stores["relational_url"],
        )
        return SimulatorsConfig(flutterwave=FlutterwaveConfig(merchants=(merchant,)), supabase=identity)

    def _environment(self, outside: Mapping[str, str]) -> dict[str, str]:
        addresses = {field.name: NOWHERE for field in attrs.fields(DemoAddresses)} | self._stores | dict(outside)
        environment = dict(role_environment(DemoAddresses(**addresses), self.secrets))
        artifact = json.loads(environment["NXT_CONFIG_JSON"])
        artifact["jobs"] = {"enabled": False}
        artifact["security"] |= self._security
        artifact["capabilities"]["fieldOperations"] = {"enabled": True}
        artifact["capabilities"]["automation"] = {"enabled": True, "solver": {"provider": "bundled"}}
        environment["NXT_CONFIG_JSON"] = json.dumps(artifact)
        for index, (role, port) in enumerate(self._ports.items()):
            first = "PORT" if role is Role.PROVISIONING else "NXT_PORT"
            environment[first if index == 0 else f"NXT_PORT_{role.value.upper()}"] = str(port)
        return {**environment, **self._environ}

    async def _start(self, process: Process) -> None:
        telemetry = await start_telemetry(process) if Role.TELEMETRY in self._ports else None
        if Role.JOBS in self._ports:
            await start_jobs(process, telemetry)
        if Role.PROVISIONING in self._ports:
            await start_provisioning(process)
        if Role.API in self._ports:
            await start_api(process)


@contextmanager
def quiet() -> Iterator[None]:
    """Drop the lines that thousands of requests would write; those about defects remain."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    try:
        yield
    finally:
        structlog.configure(**before)


def _obedient() -> web.Application:
    async def take(request: web.Request) -> web.Response:
        return web.json_response([] if request.path == "/metering-hardware-imports" else {}, status=201)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", take)
    return app


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
