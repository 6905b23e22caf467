"""Each failure of an HTTP exchange gets the name of what is known of its effect; over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from nxt_adapters.resilience import (
    CallPolicy,
    FateUnknown,
    Faulty,
    HttpCaller,
    HttpFailed,
    NotReached,
    OutboundMetrics,
    RetryPolicy,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Vendor:
    """A server whose next answers are a function."""

    def __init__(self) -> None:
        self.handler: Handler | None = None
        self.seen: list[tuple[str, bytes]] = []
        self.url = ""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.method, await request.read()))
        assert self.handler is not None
        return await self.handler(request)


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    vendor = Vendor()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", vendor.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    vendor.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield vendor
    await runner.cleanup()


@pytest.fixture
async def caller() -> AsyncIterator[HttpCaller]:
    retry = RetryPolicy(attempts=2, wait_initial_s=0, wait_max_s=0, jitter_s=0)
    policy = CallPolicy(timeout_s=0.5, retry=retry)
    caller = HttpCaller("vendor", policy, metrics=OutboundMetrics(CollectorRegistry()), max_body_bytes=10_000)
    yield caller
    await caller.close()


async def test_answers_of_the_vendors_own_come_back_whatever_their_status(vendor: Vendor, caller: HttpCaller) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"query": dict(request.query)}, status=404)

    vendor.handler = answer
    reply = await caller.request("op", "POST", vendor.url, params={"a": "1"}, json={"b": [1, 2]})
    assert (reply.status, reply.json()) == (404, {"query": {"a": "1"}})
    assert vendor.seen == [("POST", b'{"b":[1,2]}')]


async def test_redirects_are_not_followed(vendor: Vendor, caller: HttpCaller) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    vendor.handler = answer
    assert (await caller.request("op", "GET", vendor.url)).status == 302
    assert len(vendor.seen) == 1


@pytest.mark.parametrize(("status", "repeats"), [(429, 0), (500, 0), (503, 1)])
async def test_temporary_trouble_is_repeated_for_harmless_calls(
    vendor: Vendor, caller: HttpCaller, status: int, repeats: int
) -> None:
    """[API-37]"""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text="sorry", headers={"Retry-After": "0"})

    vendor.handler = answer
    with pytest.raises(HttpFailed) as failed:
        await caller.request("op", "POST", vendor.url)
    assert (failed.value.status, failed.value.body, failed.value.retry_after_s) == (status, b"sorry", 0.0)
    assert len(vendor.seen) == 1
    with pytest.raises(HttpFailed):
        await caller.request("op", "GET", vendor.url, repeatable=True)
    assert len(vendor.seen) == 2 + repeats


async def test_a_refused_connection_certainly_did_not_reach_the_vendor(unused_port: int, caller: HttpCaller) -> None:
    with pytest.raises(NotReached):
        await caller.request("op", "POST", f"http://127.0.0.1:{unused_port}")


@pytest.mark.parametrize(("repeats", "attempts"), [(False, 1), (True, 2)])
async def test_a_call_that_did_not_arrive_is_repeated_if_asked(
    unused_port: int, *, repeats: bool, attempts: int
) -> None:
    """[API-37] Also one that must not be repeated otherwise."""
    registry = CollectorRegistry()
    policy = CallPolicy(retry=RetryPolicy(attempts=2, wait_initial_s=0, wait_max_s=0, jitter_s=0))
    caller = HttpCaller("vendor", policy, metrics=OutboundMetrics(registry))
    with pytest.raises(NotReached):
        await caller.request("op", "POST", f"http://127.0.0.1:{unused_port}", repeat_unreached=repeats)
    labels = {"system": "vendor", "operation": "op", "outcome": "not_reached"}
    assert registry.get_sample_value("nxt_outbound_calls_total", labels) == attempts


async def test_trouble_brings_its_content_type(vendor: Vendor, caller: HttpCaller) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=503, text="<html>", content_type="text/html")

    vendor.handler = answer
    with pytest.raises(HttpFailed) as failed:
        await caller.request("op", "POST", vendor.url)
    assert failed.value.content_type.startswith("text/html")


async def test_a_slow_answer_leaves_the_fate_unknown(vendor: Vendor, caller: HttpCaller) -> None:
    async def answer(_: web.Request) -> web.Response:
        await asyncio.sleep(2)
        return web.Response()

    vendor.handler = answer
    with pytest.raises(FateUnknown):
        await caller.request("op", "POST", vendor.url)
    assert len(vendor.seen) == 1


async def test_a_cut_connection_leaves_the_fate_unknown(vendor: Vendor, caller: HttpCaller) -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    vendor.handler = answer
    with pytest.raises(FateUnknown):
        await caller.request("op", "POST", vendor.url)
    assert len(vendor.seen) == 1


async def test_a_cut_answer_leaves_the_fate_unknown(vendor: Vendor, caller: HttpCaller) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"{")
        assert request.transport is not None
        request.transport.abort()
        return response

    vendor.handler = answer
    with pytest.raises(FateUnknown):
        await caller.request("op", "POST", vendor.url)


async def test_an_endless_answer_is_a_fault(vendor: Vendor, caller: HttpCaller) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * 20_000)

    vendor.handler = answer
    with pytest.raises(Faulty, match="more than 10000 bytes"):
        await caller.request("op", "POST", vendor.url)


async def test_garbage_instead_of_http_is_a_fault(caller: HttpCaller) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"\x00\xff garbage\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Faulty):
            await caller.request("op", "POST", f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"[" * 5_000, b"\xff\xfe"])
async def test_a_body_that_is_no_json_is_a_fault(vendor: Vendor, caller: HttpCaller, body: bytes) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body)

    vendor.handler = answer
    reply = await caller.request("op", "GET", vendor.url)
    with pytest.raises(Faulty, match="no JSON"):
        reply.json()
    assert body.decode("latin-1") not in repr(reply) or body == b""


async def test_a_closed_caller_opens_again(vendor: Vendor, caller: HttpCaller) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="1")

    vendor.handler = answer
    await caller.request("op", "GET", vendor.url)
    await caller.close()
    await caller.close()
    assert (await caller.request("op", "GET", vendor.url)).json() == 1
