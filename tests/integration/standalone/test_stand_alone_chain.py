"""From a paid order to its end, with device messages in a service of its own: real databases, real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientSession
from tests.support.remote_messages import RemotePostgresVillage, remote_service
from tests.support.stand_alone import BEARER, free_port
from tests.support.top_ups import Desk
from tests.support.waiting import until

from nxt_adapters.device_messaging import DeviceMessagingClient, DeviceMessagingSettings
from nxt_adapters.supabase.engine import create_engine
from nxt_domain.messaging.events import DELIVERY_EVENT, delivery_event_from_payload
from nxt_domain.messaging.use_cases.receive_events import ReceiveDeliveryEvent
from nxt_domain.meters.model import InteractionStatus
from nxt_domain.shared.errors import InvalidInput, Unavailable


class Chain:
    """The village, its service, and what a jobs role does for both."""

    def __init__(self, village: RemotePostgresVillage, url: str, session: ClientSession) -> None:
        self.village = village
        self.url = url
        self.session = session
        self.desk = Desk(village)

    async def ask(self, correlation_id: str) -> dict[str, Any] | None:
        answer = await self.session.get(f"{self.url}/message/{correlation_id}", headers=BEARER)
        found: dict[str, Any] | None = await answer.json() if answer.status == 200 else None
        return found

    async def sent(self, correlation_id: str) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            message = await self.ask(correlation_id)
            return message if message and message["deliveryQueueId"] else None

        return await until(look, 10, "the command is handed over")

    async def take_up(self) -> int:
        """Apply what the service told."""
        tasks = await self.village.outbox_queue.claim(
            owner="test", kinds=[DELIVERY_EVENT], limit=100, lease=timedelta(seconds=60)
        )
        await self.desk.apply(*(delivery_event_from_payload(task.payload) for task in tasks))
        await self.village.outbox_queue.done(tasks)
        return len(tasks)

    async def told(self, number: int) -> None:
        async def count() -> bool:
            return len(await self.village.tasks(DELIVERY_EVENT)) >= number

        await until(count, 10, f"{number} events are stored")


@pytest.fixture
async def chain(relational_url: str, messaging_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Chain]:
    village = RemotePostgresVillage(relational_url, create_engine(relational_url, pool_size=10))
    async with remote_service(village, messaging_url, monkeypatch) as url, ClientSession() as session:
        yield Chain(village, url, session)
    await village.close()


async def test_a_top_up_reaches_its_meter_and_its_end_comes_back(chain: Chain) -> None:
    """[DM-2] [DM-174] [DM-177] [DM-178] [R49] [R56] Enqueued with its order, told by webhook, once for each event."""
    top_up = await chain.desk.buy()
    (task,) = await chain.village.tasks("DEVICE_MESSAGE")
    assert top_up.token is not None
    assert top_up.token not in str(task.payload)
    assert await chain.village.deliver() == 1
    message = await chain.sent(str(top_up.id))
    assert message["requestData"]["token"] == top_up.token
    assert (message["commandType"], message["pluginId"]) == ("TOP_UP_KWH", "calin-chirpstack")
    await chain.told(1)
    assert await chain.take_up() == 1
    assert (await chain.village.interaction(top_up.id)).status is InteractionStatus.PROCESSING
    event = {
        "deliveryQueueId": message["deliveryQueueId"],
        "deliveryStatus": "DELIVERY_SUCCESSFUL",
        "device": message["device"],
        "response": {"status": "EXECUTION_SUCCESS", "data": {"tokenAccepted": True}},
    }
    posts = [chain.session.post(f"{chain.url}/ingress/calin-chirpstack", json=event) for _ in range(3)]
    assert {answer.status for answer in await asyncio.gather(*posts)} == {204}
    await chain.told(2)
    assert await chain.take_up() == 1
    ended = await chain.village.interaction(top_up.id)
    assert (ended.status, ended.result) == (InteractionStatus.SUCCESSFUL, {"token_accepted": True})
    assert len(await chain.village.tasks(DELIVERY_EVENT)) == 2


async def test_a_worker_that_dies_posts_no_second_command(chain: Chain) -> None:
    """[DM-1] [R56] The same task again, at the same time and after its command has gone: one message."""
    top_up = await chain.desk.buy()
    tasks = await chain.village.claim()
    await asyncio.gather(*(chain.village.post(tasks) for _ in range(3)))
    message = await chain.sent(str(top_up.id))
    assert (await chain.ask(str(top_up.id)) or {})["id"] == message["id"]
    done = {
        "deliveryQueueId": message["deliveryQueueId"],
        "deliveryStatus": "DELIVERY_SUCCESSFUL",
        "device": message["device"],
        "response": {"status": "EXECUTION_SUCCESS"},
    }
    assert (await chain.session.post(f"{chain.url}/ingress/calin-chirpstack", json=done)).status == 204
    assert await chain.ask(str(top_up.id)) is None
    await chain.village.post(tasks)
    await asyncio.sleep(0.3)
    assert await chain.ask(str(top_up.id)) is None
    await chain.told(2)
    assert len(await chain.village.tasks(DELIVERY_EVENT)) == 2


async def test_while_the_service_is_away_nothing_is_lost(chain: Chain) -> None:
    """[DM-189] Commands wait in the outbox; cancelling says that nobody knows."""
    there = chain.village.service
    nowhere = DeviceMessagingClient(DeviceMessagingSettings(url=f"http://127.0.0.1:{free_port()}"))
    chain.village.service = nowhere
    top_up = await chain.desk.buy()
    tasks = await chain.village.claim()
    with pytest.raises(Unavailable):
        await chain.village.post(tasks)
    await chain.village.outbox_queue.retry([(tasks[0], timedelta(0))], error="UNAVAILABLE")
    with pytest.raises(Unavailable):
        async with chain.village.begin() as tx:
            await tx.messages.cancel([str(top_up.id)])
    assert (await chain.village.interaction(top_up.id)).status is InteractionStatus.QUEUED
    await nowhere.close()
    chain.village.service = there
    assert await chain.village.deliver() == 1
    assert await chain.sent(str(top_up.id))


async def test_a_wrong_key_is_no_refusal(chain: Chain) -> None:
    """[DM-142] A command must not fail because of a key: it waits until somebody mends it."""
    wrong = DeviceMessagingClient(DeviceMessagingSettings(url=chain.url, api_key="wrong"))
    top_up = await chain.desk.buy()
    chain.village.service, right = wrong, chain.village.service
    tasks = await chain.village.claim()
    with pytest.raises(Unavailable, match="HTTP 401"):
        await chain.village.post(tasks)
    await wrong.close()
    chain.village.service = right
    await chain.village.post(tasks)
    assert await chain.sent(str(top_up.id))


async def test_posts_of_the_network_server_are_passed_on(chain: Chain) -> None:
    """[DM-186] With the event's kind and the key."""
    client: Any = chain.village.service
    top_up = await chain.desk.buy()
    await chain.village.deliver()
    message = await chain.sent(str(top_up.id))
    body = {
        "deliveryQueueId": message["deliveryQueueId"],
        "deliveryStatus": "SENT_TO_DEVICE",
        "device": message["device"],
    }
    await client.forward("calin-chirpstack", "txack", body, "key")
    assert (await chain.ask(str(top_up.id)) or {})["deliveryStatus"] == "SENT_TO_DEVICE"
    with pytest.raises(Unavailable, match="HTTP 400"):
        await client.forward("nobody", None, body, None)


async def test_an_event_that_was_seen_has_no_effect(chain: Chain) -> None:
    """[DM-163] [DM-177] At once, and after it was applied."""
    receive = ReceiveDeliveryEvent(begin=chain.village.begin, wakeups=chain.village.wakeups)
    device = {"type": "ELECTRICITY_METER", "externalReference": "47001000117"}
    event = {
        "eventId": "01EVENT",
        "occurredAt": "2026-08-14T13:00:07.120Z",
        "pluginId": "calin-chirpstack",
        "message": {"deliveryStatus": "DELIVERY_FAILED", "device": device, "correlationId": "999999"},
    }
    await asyncio.gather(*(receive(event) for _ in range(5)))
    assert await chain.take_up() == 1
    await receive(event)
    assert len(await chain.village.tasks(DELIVERY_EVENT)) == 1
    with pytest.raises(InvalidInput):
        await receive({**event, "message": {"deliveryStatus": "LOST", "device": device}})
