"""CALIN's services in tests: one whose answers a test decides, call by call; settings, and messages."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from nxt_adapters.calin_api.v1 import CalinV1Settings, User
from nxt_adapters.calin_api.v2 import CalinV2Settings
from nxt_adapters.resilience import BreakerPolicy, CallPolicy, RetryPolicy
from nxt_domain.messaging.model import (
    CommandType,
    DeliveryStatus,
    Device,
    DeviceMessage,
    NewMessage,
    RelayNode,
    RequestData,
    SetDate,
)

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Script = Answer | Any


class Vendor:
    """Answers each path with its script's next entry, and with the last one from then on.

    Attributes:
        calls: path, headers and body of what came in.
        raw: the bodies as they were.
    """

    def __init__(self) -> None:
        self.scripts: dict[str, list[Script]] = {}
        self.calls: list[tuple[str, dict[str, str], Any]] = []
        self.raw: list[str] = []
        self.url = ""

    def says(self, path: str, *answers: Script) -> None:
        self.scripts[path] = list(answers)

    @property
    def paths(self) -> list[str]:
        return [path for path, _, _ in self.calls]

    def bodies(self, path: str) -> list[Any]:
        return [body for called, _, body in self.calls if called == path]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        self.raw.append(text)
        self.calls.append((request.path, dict(request.headers), json.loads(text)))
        script = self.scripts.get(request.path, [{}])
        entry = script.pop(0) if len(script) > 1 else script[0]
        return await entry(request) if callable(entry) else web.json_response(entry)


def policy(**changes: Any) -> CallPolicy:
    return CallPolicy(
        timeout_s=changes.pop("timeout_s", 2.0),
        retry=RetryPolicy(attempts=3, wait_initial_s=0, wait_max_s=0, jitter_s=0),
        breaker=BreakerPolicy(failures=changes.pop("failures", 100)),
    )


def v1_settings(url: str, **changes: Any) -> CalinV1Settings:
    users = {name: User(name=f"{name}-user", password=lambda name=name: f"{name}-secret") for name in _USERS}
    return CalinV1Settings(url=url, company="ACME", **{**users, **changes})


_USERS = ("admin", "pos", "maintenance")


def v2_settings(url: str) -> CalinV2Settings:
    return CalinV2Settings(
        url=url,
        company="ACME",
        customer_id="C-7",
        username="admin-user",
        password=lambda: "admin-secret",
        pos_password=lambda: "pos-secret",
    )


def bearer(expires_in_s: float = 3600, number: int = 0) -> str:
    """A JWT whose signature nobody checks."""
    claims = json.dumps({"exp": time.time() + expires_in_s, "n": number}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2ln"


def page(status: int = 200) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="<html>hello</html>", content_type="text/html", status=status)

    return answer


def status(code: int, body: Any = None, **parts: Any) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body, status=code, **parts)

    return answer


def garbage(body: bytes = b"no json") -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    return answer


async def reset(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def slow(seconds: float, body: Any = None) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        await asyncio.sleep(seconds)
        return web.json_response(body)

    return answer


METER = "47003333771"
TOKEN = "12345678901234567890"
NOW = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)


def message(command: CommandType = CommandType.READ_CREDIT, **changes: Any) -> DeviceMessage:
    facts: dict[str, Any] = {
        "id": "01J8ZQ4T7M0000000000000000",
        "command_type": command,
        "priority": 30.0,
        "plugin_id": "plugin",
        "device": Device(external_reference=METER, relay_node=RelayNode(id=7)),
        "ready_queue": "queue:plugin:dcu:7",
        "enqueued_at": NOW,
        "expires_at": NOW + timedelta(days=7),
        "delivery_status": DeliveryStatus.SENT_TO_NS,
    }
    return DeviceMessage(**{**facts, **changes})


def new(command: CommandType = CommandType.READ_CREDIT, **changes: Any) -> NewMessage:
    facts: dict[str, Any] = {
        "command_type": command,
        "priority": 30.0,
        "plugin_id": "plugin",
        "device": Device(external_reference=METER, relay_node=RelayNode(id=7)),
        "network_id": 42,
    }
    return NewMessage(**{**facts, **changes})


def with_token(command: CommandType = CommandType.TOP_UP_KWH, token: str | None = TOKEN) -> DeviceMessage:
    return message(command, request_data=RequestData(token=token))


def with_date(year: int, month: int, day: int) -> DeviceMessage:
    payload = SetDate(year=year, month=month, day=day)
    return message(CommandType.SET_DATE, request_data=RequestData(payload=payload))
