"""The sockets of one API process."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import structlog
from aiohttp import web
from socketio import AsyncRedisManager, AsyncServer  # type: ignore[import-untyped]  # python-socketio ships no types
from socketio.exceptions import ConnectionRefusedError as Refused  # type: ignore[import-untyped]  # as above

from nxt_adapters.socketio.realtime import CHANNEL
from nxt_domain.identity.model import Principal
from nxt_domain.identity.ports import GridOwners
from nxt_domain.identity.rules import bearer_token, may_see_organization
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Unauthenticated, Unavailable

PING_INTERVAL_S = 25
PING_TIMEOUT_S = 20
MAX_PAYLOAD = 1_000_000
_CONNECT_TIMEOUT_S = 5
_GRID_ID = re.compile(r"\d{1,10}")

_log = structlog.get_logger("nxt.socketio")

Authenticate = Callable[[str | None, str | None], Awaitable[Principal]]
"""Takes a user token, else an API key; raises ``Unauthenticated`` or ``Unavailable``."""


class SocketAuth(StrEnum):
    """``security.socketAuth`` [API-159]."""

    OFF = "off"
    OPTIONAL = "optional"
    REQUIRED = "required"


class SocketServer:
    """Serves Socket.IO on the application of the API role; rooms are named by grid ids.

    Args:
        authenticate: Turns a credential into a principal.
        grid_owners: For the tenant rule of joins.
        clock: Tells when tokens expire.
        mode: Who may connect and join.
        valkey_url: Broker between the processes; None: this process is alone.
        origins: From which browsers may connect.
        channel: Of the broker.
    """

    def __init__(
        self,
        *,
        authenticate: Authenticate,
        grid_owners: GridOwners,
        clock: Clock,
        mode: SocketAuth = SocketAuth.OFF,
        valkey_url: str | None = None,
        origins: Sequence[str] = ("*",),
        channel: str = CHANNEL,
    ) -> None:
        self._authenticate = authenticate
        self._grid_owners = grid_owners
        self._clock = clock
        self._mode = mode
        self._callers: dict[str, Principal] = {}
        self._expiries: dict[str, asyncio.TimerHandle] = {}
        self._sockets: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = AsyncServer(
            async_mode="aiohttp",
            client_manager=_manager(valkey_url, channel),
            cors_allowed_origins="*" if "*" in origins else list(origins),
            cors_credentials=False,
            ping_interval=PING_INTERVAL_S,
            ping_timeout=PING_TIMEOUT_S,
            max_http_buffer_size=MAX_PAYLOAD,
        )
        self._server.on("connect", self._connect)
        self._server.on("join", self._join)
        self._server.on("disconnect", self._disconnect)

    def attach(self, app: web.Application) -> None:
        """Serve ``/socket.io/`` on an application, ahead of its other routes."""
        self._server.attach(app)
        app.on_shutdown.append(self._close)

    async def _connect(self, sid: str, environ: Mapping[str, Any], auth: object = None) -> None:
        self._sockets.add(sid)
        try:
            principal = await self._principal(environ, auth)
        except BaseException:
            self._sockets.discard(sid)
            raise
        if principal is not None:
            self._remember(sid, principal)

    async def _principal(self, environ: Mapping[str, Any], auth: object) -> Principal | None:
        token, key = _credential(environ, auth)
        is_required = self._mode is SocketAuth.REQUIRED
        try:
            return await self._authenticate(token, key)
        except Unauthenticated as refused:
            if is_required:
                raise Refused("Unauthorized") from refused
        except Unavailable as away:
            _log.warning("a socket's credential can't be checked", error=away.code)
            if is_required:
                raise Refused("Service unavailable") from away
        return None

    async def _join(self, sid: str, data: object = None, *_more: object) -> str:
        """Enter the room of a grid; the answer is the same whatever happens [API-161]."""
        grid_id = _grid_id(data)
        if grid_id is not None and await self._may_join(sid, grid_id):
            await self._server.enter_room(sid, str(grid_id))
        return "ok"

    async def _may_join(self, sid: str, grid_id: int) -> bool:
        caller = self._callers.get(sid)
        if self._mode is SocketAuth.OFF or (self._mode is SocketAuth.OPTIONAL and caller is None):
            return True
        if caller is None:
            return False
        try:
            return may_see_organization(caller, await self._grid_owners.organization_of(grid_id))
        except Unavailable as away:
            _log.warning("a join can't be checked and is refused", grid_id=grid_id, error=away.code)
            return False

    async def _disconnect(self, sid: str, *_reason: object) -> None:
        self._sockets.discard(sid)
        self._forget(sid)

    def _remember(self, sid: str, principal: Principal) -> None:
        self._callers[sid] = principal
        if principal.token_expires_at is not None:
            left = principal.token_expires_at - self._clock.now()
            loop = asyncio.get_running_loop()
            self._expiries[sid] = loop.call_later(max(0.0, left.total_seconds()), self._expire, sid)

    def _forget(self, sid: str) -> None:
        self._callers.pop(sid, None)
        expiry = self._expiries.pop(sid, None)
        if expiry is not None:
            expiry.cancel()

    def _expire(self, sid: str) -> None:
        """An expired token counts no more; where one is required, the socket goes with it [API-159]."""
        self._forget(sid)
        if self._mode is SocketAuth.REQUIRED:
            task = asyncio.get_running_loop().create_task(self._server.disconnect(sid))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _close(self, _app: web.Application) -> None:
        """End all sockets, which are requests that never end by themselves: a stop would wait for them [API-39]."""
        await asyncio.gather(*map(self._server.disconnect, list(self._sockets)), return_exceptions=True)
        connections = list(self._server.eio.sockets.values())
        await asyncio.gather(*map(_end, connections), return_exceptions=True)
        await self._server.shutdown()


async def _end(connection: Any) -> None:  # noqa: ANN401 - the engine's socket, which has no types
    await connection.close(wait=False)
    # Nothing more will be sent: close the transport without waiting for the client to do so.
    await connection.queue.put(None)


def _manager(valkey_url: str | None, channel: str) -> AsyncRedisManager | None:
    if valkey_url is None:
        return None
    options = {"socket_connect_timeout": _CONNECT_TIMEOUT_S, "socket_keepalive": True}
    return AsyncRedisManager(valkey_url, channel=channel, redis_options=options)


def _credential(environ: Mapping[str, Any], auth: object) -> tuple[str | None, str | None]:
    """Choose ``auth.token``, else ``auth.apiKey``, else the headers of API-43."""
    offered = auth if isinstance(auth, Mapping) else {}
    token, key = offered.get("token"), offered.get("apiKey")
    if isinstance(token, str) and token:
        return token, None
    if isinstance(key, str) and key:
        return None, key
    return bearer_token(environ.get("HTTP_AUTHORIZATION")), environ.get("HTTP_X_API_KEY")


def _grid_id(data: object) -> int | None:
    value = data.get("grid_id") if isinstance(data, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value)
    return int(text) if _GRID_ID.fullmatch(text) and text.isascii() else None
