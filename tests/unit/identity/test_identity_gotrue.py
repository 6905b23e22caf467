"""The live check against a provider on a real socket, and the key set over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from nxt_adapters.gotrue import GoTrueSessions
from nxt_adapters.jwt.key_set import HttpKeySource
from nxt_domain.shared.errors import Unauthenticated, Unavailable


class Provider:
    def __init__(self) -> None:
        self.status = 200
        self.body: bytes = b'{"id":"00000000-0000-4000-8000-000000000002"}'
        self.seen: dict[str, str] = {}
        self.delay = 0.0

    async def answer(self, request: web.Request) -> web.Response:
        self.seen = {"path": request.path, **{name.lower(): value for name, value in request.headers.items()}}
        await asyncio.sleep(self.delay)
        return web.Response(status=self.status, body=self.body, content_type="application/json")


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
async def server(provider: Provider) -> AsyncIterator[TestServer]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", provider.answer)
    async with TestServer(app) as running:
        yield running


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def sessions(server: TestServer, session: aiohttp.ClientSession) -> GoTrueSessions:
    return GoTrueSessions(f"{server.make_url('/')}", "anon-key", session)


async def test_a_living_session_is_confirmed(sessions: GoTrueSessions, provider: Provider) -> None:
    """[API-49]"""
    await sessions.confirm("raw-token")
    assert provider.seen["path"] == "/auth/v1/user"
    assert (provider.seen["apikey"], provider.seen["authorization"]) == ("anon-key", "Bearer raw-token")


@pytest.mark.parametrize("body", [b"{}", b"null", b"[]", b"", b"<html>", b'{"id":null}', b'{"id":5}', b"\xff"])
async def test_an_answer_without_a_user_is_no_session(
    sessions: GoTrueSessions, provider: Provider, body: bytes
) -> None:
    """[API-49]"""
    provider.body = body
    with pytest.raises(Unauthenticated, match="No valid user data found"):
        await sessions.confirm("t")


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (401, b'{"msg":"one","message":"two"}', "one"),
        (403, b'{"message":"two","error_description":"three"}', "two"),
        (400, b'{"error_description":"three"}', "three"),
        (404, b'{"msg":5}', "Unauthorized"),
        (401, b"<html>", "Unauthorized"),
        (401, b'{"msg":"' + b"x" * 999 + b'"}', "x" * 200),
    ],
)
async def test_a_refusal_is_told_in_the_providers_words(
    sessions: GoTrueSessions, provider: Provider, status: int, body: bytes, text: str
) -> None:
    """[API-49]"""
    provider.status, provider.body = status, body
    with pytest.raises(Unauthenticated) as refused:
        await sessions.confirm("t")
    assert refused.value.message == text


@pytest.mark.parametrize("status", [500, 502, 503, 429, 302, 204])
async def test_an_outage_signs_nobody_out(sessions: GoTrueSessions, provider: Provider, status: int) -> None:
    """[API-16] [API-49]"""
    provider.status = status
    with pytest.raises(Unavailable):
        await sessions.confirm("t")


async def test_silence_and_refused_connections_are_outages(
    sessions: GoTrueSessions, provider: Provider, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[API-49]"""
    provider.delay = 5
    monkeypatch.setattr("nxt_adapters.gotrue.sessions._TIMEOUT_S", 0.1)
    with pytest.raises(Unavailable):
        await sessions.confirm("t")
    with pytest.raises(Unavailable):
        await GoTrueSessions("http://127.0.0.1:1", "anon-key", session).confirm("t")


async def test_a_key_set_comes_over_http(
    server: TestServer, provider: Provider, session: aiohttp.ClientSession
) -> None:
    """[API-44]"""
    source = HttpKeySource(f"{server.make_url('/auth/v1/.well-known/jwks.json')}", session)
    provider.body = b'{"keys":[]}'
    assert await source() == {"keys": []}
    bad: list[tuple[int, bytes]] = [(500, b"{}"), (200, b"[]"), (200, b"<html>"), (404, b"{}"), (200, b"")]
    for status, body in bad:
        provider.status, provider.body = status, body
        with pytest.raises(Unavailable):
            await source()


async def test_a_provider_that_is_away(session: aiohttp.ClientSession) -> None:
    with pytest.raises(Unavailable):
        await HttpKeySource("http://127.0.0.1:1/jwks.json", session)()
