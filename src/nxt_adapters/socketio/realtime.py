"""Sending news from a process that holds no sockets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError
from socketio.async_pubsub_manager import AsyncPubSubManager  # type: ignore[import-untyped]  # python-socketio ships no types

from nxt_domain.shared.errors import Unavailable

CHANNEL = "nxt:socketio"
"""The channel between the processes; all of them must use the same one."""


class SocketIoRealtime:
    """``Realtime`` through the broker that the API processes listen to.

    Args:
        client: The process's Valkey client.
        channel: As that of the API processes.
    """

    def __init__(self, client: Redis, *, channel: str = CHANNEL) -> None:
        self._manager = _Publisher(client, channel)

    async def emit(self, *, room: str, event: str, payload: Mapping[str, object]) -> None:
        """See ``Realtime.emit``."""
        await self._manager.emit(event, dict(payload), room=room, namespace="/")


class _Publisher(AsyncPubSubManager):  # type: ignore[misc]  # its base has no types
    """The library's write-only manager, but with failures told instead of logged."""

    def __init__(self, client: Redis, channel: str) -> None:
        super().__init__(channel=channel, write_only=True)
        self._client = client

    async def _publish(self, data: Any) -> None:  # noqa: ANN401 - the library's message
        try:
            await self._client.publish(self.channel, self.json.dumps(data))
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable("The broker between the processes can't be reached") from error
