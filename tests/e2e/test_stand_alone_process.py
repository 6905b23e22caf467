"""``nxt messaging`` as a real process on a real database, killed between the steps of a command's life."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import attrs
import psycopg
import pytest
from aiohttp import ClientSession
from tests.support.stand_alone import API_KEY, BEARER, SECRET, Adopter, ServiceProcess, command, environment
from tests.support.waiting import until

from nxt_adapters.device_messaging import DEFAULT_POLICY, DeviceMessagingClient, DeviceMessagingSettings
from nxt_adapters.resilience import BreakerPolicy
from nxt_domain.messaging.webhooks import is_signed
from nxt_domain.shared.errors import Unavailable

SUCCESS = {"status": "EXECUTION_SUCCESS", "data": {"voltage": 229.87, "phase": "B"}}


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


async def test_a_command_outlives_its_process(messaging_url: str, http: ClientSession) -> None:
    """[DM-1] [DM-2] [DM-3] [DM-154] [DM-159] [DM-173] Acknowledged is durable: one send, one end, told in order."""
    async with Adopter() as adopter:
        webhook = {"url": adopter.url, "baseDelayMs": 100}
        service = ServiceProcess(environment(messaging_url, eventWebhook=webhook))
        await service.start()
        try:
            answer = await http.post(f"{service.url}/message/enqueue", json=command(), headers=BEARER)
            assert answer.status == 201
            message = await until(lambda: _handed_over(http, service), 10, "the message is handed over")
            await until(lambda: _told(adopter, 1), 10, "the first event")
            await service.kill()

            _let_leases_lapse(messaging_url)
            await service.start()
            await until(lambda: _nothing_waits(messaging_url), 15, "the first event is taken, once or twice")
            assert (await _look_up(http, service))["deliveryQueueId"] == message["deliveryQueueId"]
            adopter.answers.clear()
            adopter.statuses = [204, 503]  # what it is told next is told again: nobody hears the first answer
            event = {
                "deliveryQueueId": message["deliveryQueueId"],
                "deliveryStatus": "DELIVERY_SUCCESSFUL",
                "device": message["device"],
                "response": SUCCESS,
            }
            assert (await http.post(f"{service.url}/ingress/stub-push", json=event)).status == 204
            await until(lambda: _told(adopter, 2), 10, "the end is posted")
            await service.kill()
            adopter.answers.set()

            assert _let_leases_lapse(messaging_url) == 1
            await service.start()
            await until(lambda: _nothing_waits(messaging_url), 15, "the end is told by whoever comes after")
            assert (await http.get(f"{service.url}/message/4211", headers=BEARER)).status == 404
            assert (await http.post(f"{service.url}/ingress/stub-push", json=event)).status == 204
            await asyncio.sleep(0.5)
            assert await service.stop() == 0
        finally:
            await service.stop()
        assert adopter.told("4211") == ["SENT_TO_NS", "DELIVERY_SUCCESSFUL"]
        assert [event["message"]["deliveryStatus"] for event in adopter.events[-3:]] == ["DELIVERY_SUCCESSFUL"] * 3
        last = adopter.events[-1]
        assert last["message"]["response"] == SUCCESS
        assert all(is_signed(SECRET, body, headers["X-Device-Messaging-Signature"]) for body, headers in adopter.posts)


@pytest.mark.nightly
async def test_commands_posted_through_kills_are_there_once_each(messaging_url: str) -> None:
    """[DM-1] [DM-3] [R56] Whoever repeats what was not answered, under the same key, sends no second command."""
    service = ServiceProcess(environment(messaging_url, engine={"enabled": False}))
    patient = attrs.evolve(DEFAULT_POLICY, breaker=BreakerPolicy(failures=10_000, open_s=1.0))
    client = DeviceMessagingClient(DeviceMessagingSettings(url=service.url, api_key=API_KEY), policy=patient)

    async def enqueue(number: int) -> None:
        while True:
            try:
                return await client.enqueue(command(correlationId=str(number)), request_key=f"task-{number}")
            except Unavailable:
                await asyncio.sleep(0.05)

    async def torment() -> None:
        for _ in range(2):
            await asyncio.sleep(0.3)
            await service.kill()
            await service.start()

    await service.start()
    try:
        tormentor = asyncio.create_task(torment())
        for begin in range(0, 400, 20):  # answers get lost all the time, also those of what was stored
            await asyncio.gather(*(enqueue(number) for number in range(begin, begin + 20)))
        await tormentor
        await asyncio.gather(*(enqueue(number) for number in range(400)))
    finally:
        await client.close()
        await service.stop()
    with psycopg.connect(messaging_url) as connection:
        stored = connection.execute("select correlation_id from messaging.device_messages").fetchall()
    assert sorted(int(row[0]) for row in stored) == list(range(400))


async def _look_up(http: ClientSession, service: ServiceProcess) -> dict[str, Any]:
    answer = await http.get(f"{service.url}/message/4211", headers=BEARER)
    assert answer.status == 200
    found: dict[str, Any] = await answer.json()
    return found


async def _handed_over(http: ClientSession, service: ServiceProcess) -> dict[str, Any] | None:
    message = await _look_up(http, service)
    return message if message["deliveryStatus"] == "DELIVERED_TO_NS" else None


async def _told(adopter: Adopter, count: int) -> bool:
    return len({event["eventId"] for event in adopter.events}) >= count


def _let_leases_lapse(database_url: str) -> int:
    """Let the minute pass for which a dead process holds its claims; return how many events it held."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("update messaging.device_messages set lease_until = lease_until - interval '1 minute'")
        aged = "update messaging.event_outbox set lease_until = lease_until - interval '1 minute'"
        return connection.execute(f"{aged} where lease_until is not null").rowcount


async def _nothing_waits(database_url: str) -> bool:
    with psycopg.connect(database_url) as connection:
        return connection.execute("select from messaging.event_outbox").fetchone() is None
