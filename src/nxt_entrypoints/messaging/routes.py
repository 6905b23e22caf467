"""Commands, tokens and vendors' posts over HTTP [DM 14.2 to 14.6]."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Protocol

import attrs

from nxt_domain.messaging.messages_wire import message_to_json, new_message_from_json, new_message_to_json
from nxt_domain.messaging.mint import TokenOrder
from nxt_domain.messaging.model import CommandType
from nxt_domain.messaging.ports import MessagingMetrics
from nxt_domain.messaging.use_cases.apply_event import ApplyDeviceEvent
from nxt_domain.messaging.use_cases.commands import Commands
from nxt_domain.shared.errors import InvalidInput, NotFound, Unavailable
from nxt_domain.shared.json import Json, JsonObject
from nxt_domain.shared.secrets import SecretText
from nxt_entrypoints.http.routes import KIB, Guard, RequestFacts, Route, route
from nxt_entrypoints.http.strict import Text
from nxt_entrypoints.messaging.bodies import CANCEL, CANCEL_MANY, CORRELATION_ID, ENQUEUE, TOKEN
from nxt_entrypoints.messaging.dialect import (
    NOT_FOUND,
    STORAGE_UNAVAILABLE,
    SchemaViolated,
    read_body,
    read_json,
    read_path_text,
)
from nxt_entrypoints.messaging.plugins import Plugin, Post

MAX_BODY = KIB * KIB
REQUEST_KEY_HEADER = "Idempotency-Key"
_STORAGE_S = 5.0
_LONGEST_KEY = 255


class Services(Protocol):
    """What the routes call."""

    @property
    def commands(self) -> Commands:
        """Enqueue, look up, cancel."""

    @property
    def apply_event(self) -> ApplyDeviceEvent:
        """Takes in what vendors report."""

    @property
    def plugins(self) -> Mapping[str, Plugin]:
        """Those that are enabled, by id."""

    @property
    def metrics(self) -> MessagingMetrics:
        """Counters."""


@attrs.frozen(kw_only=True)
class CorrelationPath:
    """A path that names a command."""

    correlationId: str  # noqa: N815 - as the contract spells it


@attrs.frozen(kw_only=True)
class PluginPath:
    """A path that names a plug-in."""

    pluginId: str  # noqa: N815 - as the contract spells it


@route(
    "POST",
    "/message/enqueue",
    guard=Guard.SHARED_KEY,
    summary="Enqueue a command for a meter",
    tags=("command",),
    max_body=MAX_BODY,
)
async def enqueue(facts: RequestFacts, services: Services) -> JsonObject:
    """Answers when the message is durable; it is distributed afterwards."""
    body = read_body(facts, ENQUEUE)
    key = _request_key(facts)
    message = new_message_from_json(body)
    _refuse_token_only(services.plugins.get(message.plugin_id), message.command_type)
    async with _storage():
        message_id = await services.commands.enqueue(message, request_key=key)
    fresh: dict[str, Json] = {"deliveryQueueId": "", "deliveryStatus": "QUEUED", "retryCount": 0, "failureHistory": []}
    return {"id": message_id, **new_message_to_json(message), **fresh}


def _refuse_token_only(plugin: Plugin | None, command: CommandType) -> None:
    if plugin is not None and plugin.push is None and plugin.pull is None:
        raise InvalidInput(f"Plugin {plugin.id} does not support commandType: {command}", code="UNSUPPORTED_COMMAND")


def _request_key(facts: RequestFacts) -> str | None:
    key = facts.headers.get(REQUEST_KEY_HEADER)
    if key is not None and not (0 < len(key) <= _LONGEST_KEY and key.isascii()):
        raise InvalidInput(f"{REQUEST_KEY_HEADER} must have 1 to {_LONGEST_KEY} ASCII characters")
    return key


@route(
    "GET",
    "/message/{correlationId}",
    guard=Guard.SHARED_KEY,
    summary="Look a live message up",
    tags=("command",),
)
async def look_up(path: CorrelationPath, services: Services) -> JsonObject:
    """A message is gone once it has ended."""
    correlation_id = read_path_text("correlationId", path.correlationId, CORRELATION_ID)
    async with _storage():
        message = await services.commands.find(correlation_id)
    if message is None:
        raise NotFound(NOT_FOUND)
    return message_to_json(message)


@route(
    "POST",
    "/message/cancel",
    guard=Guard.SHARED_KEY,
    summary="Take a command back that was not handed over yet",
    tags=("command",),
    status=200,
    max_body=MAX_BODY,
)
async def cancel(facts: RequestFacts, services: Services) -> Mapping[str, str]:
    """Acts on all messages of the correlation id; no event follows."""
    correlation_id = str(read_body(facts, CANCEL)["correlationId"])
    return (await _cancelled(services, [correlation_id]))[0]


@route(
    "POST",
    "/messages/cancel",
    guard=Guard.SHARED_KEY,
    summary="Take several commands back",
    tags=("command",),
    status=200,
    max_body=MAX_BODY,
)
async def cancel_many(facts: RequestFacts, services: Services) -> Sequence[Mapping[str, str]]:
    """Results come in the order of the request."""
    listed = read_body(facts, CANCEL_MANY)["correlationIds"]
    return await _cancelled(services, [str(one) for one in listed] if isinstance(listed, list) else [])


async def _cancelled(services: Services, correlation_ids: Sequence[str]) -> Sequence[Mapping[str, str]]:
    async with _storage():
        results = await services.commands.cancel(correlation_ids)
    return [{"correlationId": one, "result": results[one].value} for one in correlation_ids]


@route(
    "POST",
    "/token/generate",
    guard=Guard.SHARED_KEY,
    summary="Have a token made",
    tags=("command",),
    status=200,
    max_body=MAX_BODY,
)
async def generate_token(facts: RequestFacts, services: Services) -> Mapping[str, str]:
    """Made at once and never queued; delivering the token is a message of its own."""
    body = read_body(facts, TOKEN)
    plugin_id = str(body["pluginId"])
    plugin = _enabled(services, plugin_id)
    if plugin.mint is None:
        raise InvalidInput(f"Plugin does not support token generation: {plugin_id}")
    return {"token": await plugin.mint.mint(_order(body))}


def _order(body: JsonObject) -> TokenOrder:
    device, payload = _members(body["device"]), _members(body.get("payload"))
    key = device.get("decoderKey")
    return TokenOrder(
        kind=CommandType(str(body["type"])),
        meter=str(device["externalReference"]),
        issue_date=str(body["issueDateString"]),
        decoder_key=None if key is None else SecretText(str(key)),
        energy_kwh=_decimal(payload.get("kwh")),
        power_limit_w=_decimal(payload.get("powerLimit")),
    )


def _members(value: Json) -> JsonObject:
    return value if isinstance(value, Mapping) else {}


def _decimal(value: Json) -> Decimal | None:
    return Decimal(value) if isinstance(value, int | Decimal) else None


@route(
    "POST",
    "/ingress/{pluginId}",
    guard=Guard.VENDOR,
    summary="Take a post of a vendor",
    tags=("ingress",),
    status=204,
    max_body=MAX_BODY,
)
async def take_post(path: PluginPath, facts: RequestFacts, services: Services) -> None:
    """Answers when the event's effect is durable, also when there is none."""
    plugin_id = read_path_text("pluginId", path.pluginId, Text(min_length=1))
    plugin = _enabled(services, plugin_id)
    if plugin.ingress is None:
        raise InvalidInput(f"Plugin does not support PUSH ingress: {plugin_id}")
    post = Post(headers=facts.headers, query=facts.query, raw_body=facts.raw_body)
    plugin.ingress.authenticate(post)
    try:
        body = read_json(facts.raw_body)
    except SchemaViolated:
        services.metrics.ingress_unhandled(plugin_id)  # JSON all the same, and of no use
        return
    news = plugin.ingress.read(post, body)
    if news is not None:
        async with _storage():
            await services.apply_event(plugin_id, news)


def _enabled(services: Services, plugin_id: str) -> Plugin:
    plugin = services.plugins.get(plugin_id)
    if plugin is None:
        raise InvalidInput(f"Unknown or disabled pluginId: {plugin_id}", code="UNKNOWN_PLUGIN")
    return plugin


@asynccontextmanager
async def _storage() -> AsyncIterator[None]:
    """Give the database five seconds [DM-143]."""
    try:
        async with asyncio.timeout(_STORAGE_S):
            yield
    except TimeoutError as late:
        raise Unavailable(STORAGE_UNAVAILABLE) from late


ROUTES: tuple[Route, ...] = (enqueue, look_up, cancel, cancel_many, generate_token, take_post)
