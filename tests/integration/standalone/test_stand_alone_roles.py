"""The API and jobs roles, wired as in production, over stand-alone messaging: two databases, real sockets."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from tests.support.meters_villages import PostgresVillage
from tests.support.remote_messages import RemotePostgresVillage, know_radio, radio_environment
from tests.support.running_roles import RunningRoles
from tests.support.stand_alone import API_KEY, BEARER, SECRET, free_port, running_service
from tests.support.top_ups import Desk
from tests.support.waiting import until

from nxt_adapters.device_messaging import DeviceMessagingClient, DeviceMessagingSettings
from nxt_adapters.supabase.engine import create_engine
from nxt_domain.meters.model import Interaction, InteractionStatus
from nxt_entrypoints.settings.roles import Role


async def test_a_top_up_goes_there_and_its_end_comes_back(
    relational_url: str, messaging_url: str, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[DM-2] [DM-174] [DM-177] [DM-178] [R56] Nothing but the address, the key and the secret is set."""
    know_radio(monkeypatch)
    village = RemotePostgresVillage(relational_url, create_engine(relational_url, pool_size=5))
    port = free_port()
    village.service = DeviceMessagingClient(DeviceMessagingSettings(url=f"http://127.0.0.1:{port}"))  # never called
    stand_alone = {
        "DEVICE_MESSAGING_URL": f"http://127.0.0.1:{port}",
        "DEVICE_MESSAGING_API_KEY": API_KEY,
        "DEVICE_MESSAGING_WEBHOOK_SECRET": SECRET,
    }
    roles = RunningRoles(relational_url, valkey_url, roles=[Role.API, Role.JOBS], environ=stand_alone)
    webhook = {"url": f"{roles.urls[Role.API]}/device-messages/events", "baseDelayMs": 100}
    async with aiohttp.ClientSession() as session:
        with roles:
            top_up = await Desk(village).buy()  # the service is not there yet: the command waits
            async with running_service(radio_environment(messaging_url, eventWebhook=webhook), port) as url:
                message = await until(lambda: _sent(session, url, top_up), 30, "the command is handed over")
                await until(lambda: _is(village, top_up, InteractionStatus.PROCESSING), 15, "its hand-over is told")
                event = {
                    "deliveryQueueId": message["deliveryQueueId"],
                    "deliveryStatus": "DELIVERY_SUCCESSFUL",
                    "device": message["device"],
                    "response": {"status": "EXECUTION_SUCCESS", "data": {"tokenAccepted": True}},
                }
                assert (await session.post(f"{url}/ingress/calin-chirpstack", json=event)).status == 204
                await until(lambda: _is(village, top_up, InteractionStatus.SUCCESSFUL), 15, "its end is told")
    assert village.all("select 1 from messaging.device_messages") == []
    await village.close()


async def _sent(session: aiohttp.ClientSession, url: str, top_up: Interaction) -> dict[str, Any] | None:
    answer = await session.get(f"{url}/message/{top_up.id}", headers=BEARER)
    message: dict[str, Any] | None = await answer.json() if answer.status == 200 else None
    return message if message and message["deliveryQueueId"] else None


async def _is(village: PostgresVillage, top_up: Interaction, status: InteractionStatus) -> bool:
    return (await village.interaction(top_up.id)).status is status
