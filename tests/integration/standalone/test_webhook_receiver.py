"""Posting to a real socket [DM-155]."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.stand_alone import SECRET, Adopter, free_port

from nxt_adapters.webhook import WebhookReceiver, WebhookSettings
from nxt_domain.messaging.stand_alone_ports import NotDelivered

BODY = b'{"eventId":"01EVENT","message":{}}'


async def test_the_exact_bytes_arrive_signed() -> None:
    """[DM-155] With both headers; redirects are not followed."""
    async with Adopter() as adopter:
        adopter.statuses = [200, 302, 503]
        receiver = WebhookReceiver(WebhookSettings(url=adopter.url, secret=SECRET))
        assert [await receiver.post("01EVENT", BODY) for _ in range(3)] == [200, 302, 503]
        await receiver.close()
        body, headers = adopter.posts[0]
        assert body == BODY
        assert headers["Content-Type"] == "application/json"
        assert headers["X-Device-Messaging-Event-Id"] == "01EVENT"
        assert headers["X-Device-Messaging-Signature"] == (
            "sha256=d12a8010f0f475e6b2390d0261b34bcb9e8186b42db678fe266cc6b1e9e5c70f"
        )
        assert len(adopter.posts) == 3


async def test_without_a_secret_nothing_is_signed() -> None:
    """[DM-155]"""
    async with Adopter() as adopter:
        receiver = WebhookReceiver(WebhookSettings(url=adopter.url))
        assert await receiver.post("01EVENT", BODY) == 204
        await receiver.close()
        assert "X-Device-Messaging-Signature" not in adopter.posts[0][1]


async def test_no_answer_is_told_as_such() -> None:
    """[DM-155] [DM-156] Refused, and silent for longer than the time-out."""
    receiver = WebhookReceiver(WebhookSettings(url=f"http://127.0.0.1:{free_port()}/events"))
    with pytest.raises(NotDelivered, match="ClientConnectorError"):
        await receiver.post("01EVENT", BODY)
    await receiver.close()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    receiver = WebhookReceiver(WebhookSettings(url=f"http://127.0.0.1:{port}/events", timeout_s=0.2))
    with pytest.raises(NotDelivered, match=r"no answer within 0\.2 s"):
        await receiver.post("01EVENT", BODY)
    await receiver.close()
    server.close()
