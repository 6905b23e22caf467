"""A gRPC server of ChirpStack's services whose answers a test decides, call by call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest
from chirpstack_api import api
from google.protobuf.empty_pb2 import Empty

Answer = Callable[[Any, Any], Awaitable[Any]]

REQUESTS = {
    "api.DeviceService": {
        "Enqueue": api.EnqueueDeviceQueueItemRequest,
        "GetQueue": api.GetDeviceQueueItemsRequest,
        "Create": api.CreateDeviceRequest,
        "Get": api.GetDeviceRequest,
        "GetKeys": api.GetDeviceKeysRequest,
        "CreateKeys": api.CreateDeviceKeysRequest,
    },
    "api.GatewayService": {"List": api.ListGatewaysRequest},
}


class Server:
    """Answers each method with its script's next entry, and with the last one from then on.

    An entry is a message, raw bytes, a status with details, a number of seconds to be silent, or a coroutine function.
    """

    def __init__(self) -> None:
        self.scripts: dict[str, list[Any]] = {}
        self.calls: list[tuple[str, Any]] = []
        self.tokens: list[str] = []
        self.deadlines: list[float] = []
        self.port = 0
        self._server: grpc.aio.Server | None = None

    def script(self, method: str, *entries: Any) -> None:
        self.scripts[method] = list(entries)

    def requests(self, method: str) -> list[Any]:
        return [request for name, request in self.calls if name == method]

    async def start(self, credentials: grpc.ServerCredentials | None = None) -> None:
        server = grpc.aio.server()
        for service, methods in REQUESTS.items():
            handlers = {name: self._handler(name, kind) for name, kind in methods.items()}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        address = f"127.0.0.1:{self.port}"
        secure = credentials is not None
        self.port = server.add_secure_port(address, credentials) if secure else server.add_insecure_port(address)
        await server.start()
        self._server = server

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    def _handler(self, name: str, kind: Any) -> grpc.RpcMethodHandler[Any, Any]:
        async def call(request: Any, context: Any) -> Any:
            self.calls.append((name, request))
            self.tokens.append(dict(context.invocation_metadata()).get("authorization", ""))
            self.deadlines.append(context.time_remaining())
            script = self.scripts[name]
            return await self._play(script.pop(0) if len(script) > 1 else script[0], request, context)

        return grpc.unary_unary_rpc_method_handler(
            call,
            request_deserializer=kind.FromString,
            response_serializer=lambda answer: answer if isinstance(answer, bytes) else answer.SerializeToString(),
        )

    async def _play(self, entry: Any, request: Any, context: Any) -> Any:
        if isinstance(entry, tuple):
            await context.abort(*entry)
        if isinstance(entry, float):
            await asyncio.sleep(entry)
            return Empty()
        if callable(entry):
            return await entry(request, context)
        return entry


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    await server.start()
    yield server
    await server.stop()
