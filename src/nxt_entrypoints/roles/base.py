"""What every role shares: its container, its listener, its readiness, and an orderly end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress

import structlog
from aiohttp import web
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from nxt_adapters.supabase.deployment import deployment_faults
from nxt_domain.identity.use_cases import AuthenticateService
from nxt_entrypoints.container import Container
from nxt_entrypoints.http.app import HttpSettings
from nxt_entrypoints.http.guards import Gate
from nxt_entrypoints.http.operations import Probe, Readiness
from nxt_entrypoints.http.server import HttpServer
from nxt_entrypoints.settings.roles import Role
from nxt_entrypoints.settings.settings import Settings

_log = structlog.get_logger(__name__)
_GRACE_S = 20.0

Loop = Callable[[asyncio.Event], Awaitable[None]]
"""Works until the event is set, finishes what is under way, and returns."""


class Process:
    """The shared part of all roles of this process.

    Args:
        settings: Checked.
        container: Its objects.
    """

    def __init__(self, settings: Settings, container: Container) -> None:
        self.settings = settings
        self.container = container
        self.stopping = asyncio.Event()
        self.ports: dict[Role, int] = {}
        self._stack = AsyncExitStack()
        self._loops: dict[str, asyncio.Task[None]] = {}
        self._faults: Sequence[str] = ()

    async def __aenter__(self) -> Process:
        await self._stack.__aenter__()
        self._stack.push_async_callback(self.container.engine().dispose)
        self._stack.push_async_callback(self.container.read_pool().close)
        self._stack.push_async_callback(self.container.valkey().aclose)
        self._stack.push_async_callback(self.container.http_session().close)
        await self.container.wake_ups().start()
        self._stack.push_async_callback(self.container.wake_ups().stop)
        await self._look_at_deployment()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    def on_close(self, close: Callable[[], Awaitable[object]]) -> None:
        """Close something at the end, in reverse order of opening."""
        self._stack.push_async_callback(close)

    async def listen(self, role: Role, app: web.Application) -> None:
        """Serve a role's application, if the role has a port in this process.

        Raises:
            OSError: The port is taken.
        """
        port = self.settings.ports.get(role)
        if port is None:
            return
        server = await self._stack.enter_async_context(HttpServer(app, host=self.settings.host, port=port))
        self.ports[role] = server.port
        _log.info("listening", role=role.value, host=self.settings.host, port=server.port)

    def run(self, name: str, loop: Loop) -> None:
        """Start a background loop; one that ends by an error stops the process, and the supervisor starts it anew."""
        task = asyncio.create_task(self._watched(name, loop), name=name)
        self._loops[name] = task

    async def finish(self) -> None:
        """Let all loops end, for at most twenty seconds."""
        self.stopping.set()
        if not self._loops:
            return
        _, late = await asyncio.wait(self._loops.values(), timeout=_GRACE_S)
        for task in late:
            _log.warning("a loop did not end in time", loop=task.get_name())
            task.cancel()
        await asyncio.gather(*self._loops.values(), return_exceptions=True)

    async def _watched(self, name: str, loop: Loop) -> None:
        try:
            await loop(self.stopping)
        except asyncio.CancelledError:
            raise
        except Exception:
            _log.exception("a loop broke; the process ends", loop=name)
            self.stopping.set()
            raise

    def http_settings(self) -> HttpSettings:
        """Read what the HTTP frame takes from the configuration."""
        security = self.settings.artifact.security
        return HttpSettings(
            trusted_proxies=security.trusted_proxies,
            public_requests_per_minute=security.public_requests_per_minute,
            capabilities=_capabilities(self.settings),
            is_hibernated=self.settings.hibernated,
        )

    def readiness(self, **probes: Probe) -> Readiness:
        """Probe the primary database, Valkey and whatever else a role uses."""
        return Readiness(
            probes={"primary_db": self._primary_db, "valkey": self._valkey, **probes},
            warnings=lambda: [*self.settings.warnings, *self._faults],
        )

    def internal_gate(self) -> Gate:
        """Guard a role that only other roles call [API-57, API-58]."""
        service: AuthenticateService = self.container.authenticate_service(
            is_required=self.settings.artifact.security.internal_auth == "required"
        )
        return Gate(service=service)

    async def _look_at_deployment(self) -> None:
        """Warn of ids that the database knows otherwise [API-200]; a database that is away is readiness' business."""
        names = self.settings.artifact.deployment
        with suppress(SQLAlchemyError):
            self._faults = await deployment_faults(
                self.container.engine(),
                admin_organization_id=names.admin_organization_id,
                system_wallet_id=names.system_wallet_id,
            )
        for fault in self._faults:
            _log.warning(fault, code="DEPLOYMENT_DIFFERS")

    async def _primary_db(self) -> None:
        async with self.container.engine().connect() as connection:
            await connection.execute(text("select 1"))

    async def _valkey(self) -> None:
        await self.container.valkey().ping()


def _capabilities(settings: Settings) -> frozenset[str]:
    capabilities = settings.artifact.capabilities
    switches = {
        "production": capabilities.production.enabled,
        "metering": capabilities.metering.enabled,
        "payments": capabilities.payments.enabled,
        "notifications": capabilities.notifications.enabled,
        "fieldOperations": capabilities.field_operations.enabled,
        "automation": capabilities.automation.enabled,
    }
    return frozenset(name for name, is_on in switches.items() if is_on)


registry = REGISTRY
"""Every figure of the process, adapters' included, shows at each role's ``/metrics``."""
