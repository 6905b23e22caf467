"""Listening, and stopping without losing a request [API-39]."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self

from aiohttp import web

GRACE_S = 30.0
_BACKLOG = 1024
_LINGERING_S = 2.0
"""Reads on this long after an answer that did not wait for the body's end, so that its sender hears the answer; a stop
waits for it too."""


class HttpServer(AbstractAsyncContextManager["HttpServer"]):
    """An application that listens while the context is open.

    On leaving, the port closes first; requests that run are finished, for at most ``grace_s``::

        async with HttpServer(app, host="0.0.0.0", port=3000):
            await stop.wait()

    Args:
        app: The role's application.
        host: Address to bind (``NXT_HOST``).
        port: 0: any free one; see ``port``.
        grace_s: Patience with running requests, in seconds.
    """

    def __init__(self, app: web.Application, *, host: str, port: int, grace_s: float = GRACE_S) -> None:
        # The frame writes its own access log; signals are the process's business.
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=grace_s, lingering_time=_LINGERING_S
        )
        self._host = host
        self._port = port

    @property
    def port(self) -> int:
        """The port that is bound."""
        return int(self._runner.addresses[0][1])

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port, backlog=_BACKLOG).start()
        except OSError:
            await self._runner.cleanup()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
