"""What the adopter of stand-alone messaging is told, by the running service [DM 15]."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from aiohttp import ClientSession
from tests.support.stand_alone import BEARER, Adopter, command, environment, running_service
from tests.support.waiting import until

DEVICE = {"type": "ELECTRICITY_METER", "externalReference": "47003333771"}
GATEWAY = {**DEVICE, "relayNode": {"externalReference": "gw-best", "snr": 10, "rssi": -90}}


class Service:
    def __init__(self, url: str, session: ClientSession) -> None:
        self.url = url
        self.session = session

    async def enqueue(self, **changes: Any) -> None:
        answer = await self.session.post(f"{self.url}/message/enqueue", json=command(**changes), headers=BEARER)
        assert answer.status == 201

    async def say(self, **event: Any) -> None:
        assert (await self.session.post(f"{self.url}/ingress/stub-push", json=event)).status == 204

    async def find(self, correlation_id: str) -> dict[str, Any] | None:
        answer = await self.session.get(f"{self.url}/message/{correlation_id}", headers=BEARER)
        found: dict[str, Any] | None = await answer.json() if answer.status == 200 else None
        return found

    async def handed_over(self, correlation_id: str) -> str:
        async def remote_id() -> str | None:
            message = await self.find(correlation_id)
            return str(message["deliveryQueueId"]) if message and message["deliveryQueueId"] else None

        return await until(remote_id, 10, f"{correlation_id} is handed over")

    async def cancel(self, correlation_id: str) -> str:
        body = {"correlationId": correlation_id}
        answer = await self.session.post(f"{self.url}/message/cancel", json=body, headers=BEARER)
        return str((await answer.json())["result"])


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as opened:
        yield opened


async def test_which_events_and_what_they_say(messaging_url: str, session: ClientSession) -> None:
    """[DM-57] [DM-60] [DM-66] [DM-152] [DM-153] [DM-168] First hand-over, ends, and what meters say unasked."""
    async with Adopter() as adopter:
        environ = environment(messaging_url, eventWebhook={"url": adopter.url}, delivery={"maxRetries": 0})
        async with running_service(environ) as url:
            service = Service(url, session)
            await service.enqueue(requestData={"token": "12345678901234567890"})
            remote_id = await service.handed_over("4211")
            assert remote_id.startswith("stub-ext-")
            assert await service.cancel("4211") == "NOT_CANCELLABLE"
            await service.say(deliveryQueueId=remote_id, deliveryStatus="SENT_TO_DEVICE", device=DEVICE)
            response = {"status": "EXECUTION_SUCCESS", "data": {"voltage": 229.87}}
            done = {"deliveryStatus": "DELIVERY_SUCCESSFUL", "device": GATEWAY, "response": response}
            await service.say(deliveryQueueId=remote_id, **done)
            await service.enqueue(correlationId="4212", phase=...)
            refused = {"deliveryStatus": "DELIVERY_FAILED", "device": DEVICE, "failureContext": {"reason": "No"}}
            await service.say(deliveryQueueId=await service.handed_over("4212"), **refused)
            report = {"commandType": "READ_REPORT", "unsolicited": True}
            await service.say(**{**done, **report, "response": {"status": "EXECUTION_SUCCESS"}})
            await until(lambda: _count(adopter, 5), 10, "five events")
        assert adopter.told("4211") == ["SENT_TO_NS", "DELIVERY_SUCCESSFUL"]
        assert adopter.told("4212") == ["SENT_TO_NS", "DELIVERY_FAILED"]
        end = _of(adopter, "4211", "DELIVERY_SUCCESSFUL")
        assert set(end) == {"eventId", "occurredAt", "pluginId", "message"}
        assert (end["pluginId"], len(end["eventId"]), end["occurredAt"][-1]) == ("stub-push", 26, "Z")
        message = end["message"]
        assert len(message.pop("id")) == 26
        assert message == {
            "deliveryStatus": "DELIVERY_SUCCESSFUL",
            "device": GATEWAY,
            "correlationId": "4211",
            "commandType": "READ_VOLTAGE",
            "phase": "B",
            "response": response,
            "failureHistory": [],
        }
        failed = _of(adopter, "4212", "DELIVERY_FAILED")["message"]
        assert (failed["failureHistory"][0]["reason"], failed["failureHistory"][0]["isFinal"]) == ("No", True)
        assert not {"phase", "response"} & set(failed)
        (unasked,) = [event["message"] for event in adopter.events if "id" not in event["message"]]
        assert unasked == {
            "deliveryStatus": "DELIVERY_SUCCESSFUL",
            "device": GATEWAY,
            "commandType": "READ_REPORT",
            "response": {"status": "EXECUTION_SUCCESS"},
            "unsolicited": True,
        }
        assert len(adopter.posts) == 5


async def test_without_a_webhook_nothing_is_stored(messaging_url: str, session: ClientSession) -> None:
    """[DM-161]"""
    async with running_service(environment(messaging_url)) as url:
        service = Service(url, session)
        await service.enqueue()
        done = {"deliveryStatus": "DELIVERY_SUCCESSFUL", "device": DEVICE, "response": {"status": "EXECUTION_SUCCESS"}}
        await service.say(deliveryQueueId=await service.handed_over("4211"), **done)
        assert await service.find("4211") is None
    with psycopg.connect(messaging_url) as connection:
        assert connection.execute("select count(*) from messaging.event_outbox").fetchone() == (0,)
        ended = connection.execute("select delivery_status from messaging.message_archive").fetchall()
    assert ended == [("DELIVERY_SUCCESSFUL",)]


async def test_with_the_engine_off_nothing_moves(messaging_url: str, session: ClientSession) -> None:
    """[DM-30] Enqueue, lookup and cancel still work."""
    async with running_service(environment(messaging_url, engine={"enabled": False})) as url:
        service = Service(url, session)
        await service.enqueue()
        await service.say(deliveryStatus="DELIVERY_SUCCESSFUL", device=DEVICE, deliveryQueueId="none")
        message = await service.find("4211")
        assert message is not None
        assert message["deliveryStatus"] == "QUEUED"
        assert await service.cancel("4211") == "CANCELLED"


async def _count(adopter: Adopter, number: int) -> bool:
    return len({event["eventId"] for event in adopter.events}) >= number


def _of(adopter: Adopter, correlation_id: str, status: str) -> dict[str, Any]:
    (found,) = [
        event
        for event in adopter.events
        if event["message"].get("correlationId") == correlation_id and event["message"]["deliveryStatus"] == status
    ]
    return found
