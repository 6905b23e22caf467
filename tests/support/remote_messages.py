"""Villages whose device messages live in stand-alone messaging: in memory, and as a real service of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from nxt_adapters.device_messaging import DeviceMessagingClient, DeviceMessagingSettings
from nxt_adapters.memory.outbox import MemoryOutboxTable
from nxt_adapters.memory.plugins import StubPush
from nxt_adapters.memory.unit_of_work import MemoryUnitOfWork
from nxt_adapters.memory.waiting_commands import MemoryMessagingService, MemoryWaitingCommands
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_domain.messaging.remote import DEVICE_MESSAGE, MessagingService, RemoteDeviceMessages, posted_command
from nxt_domain.messaging.use_cases.receive_events import ReceiveDeliveryEvent
from nxt_domain.meters.use_cases.post_messages import PostMessages
from nxt_domain.shared.outbox import ClaimedTask
from nxt_entrypoints.api.stand_alone_messaging import StandAloneMessaging
from nxt_entrypoints.messaging import plugins
from nxt_entrypoints.wiring.metering import remote_messages
from tests.support.http_roles import Services, application
from tests.support.identity_world import IdentityWorld
from tests.support.meters_villages import MemoryVillage, PostgresVillage
from tests.support.stand_alone import API_KEY, SECRET, environment, running_service

RADIO = [{"id": "calin-chirpstack", "tuning": {"minIntervalMs": 0}}]


class _Remote:
    """What a jobs role does for commands."""

    service: MessagingService
    outbox_queue: Any

    async def claim(self) -> Sequence[ClaimedTask]:
        """Take the tasks that bring commands to the service."""
        claimed: Sequence[ClaimedTask] = await self.outbox_queue.claim(
            owner="test", kinds=[DEVICE_MESSAGE], limit=100, lease=timedelta(seconds=60)
        )
        return claimed

    async def post(self, tasks: Sequence[ClaimedTask]) -> None:
        """Handle them, without marking them done."""
        village: Any = self
        post = PostMessages(begin=village.begin, service=self.service, clock=village.clock, wakeups=village.wakeups)
        await post([posted_command(task.dedupe_key, task.payload) for task in tasks])

    async def deliver(self) -> int:
        """Work all of them off; return how many there were."""
        posted = 0
        while tasks := await self.claim():
            await self.post(tasks)
            await self.outbox_queue.done(tasks)
            posted += len(tasks)
        return posted


class RemoteMemoryVillage(_Remote, MemoryVillage):
    """The village in memory, with a service in memory."""

    def __init__(self) -> None:
        MemoryVillage.__init__(self)
        self.service: MemoryMessagingService = MemoryMessagingService(self.plane.database)

    def begin(self) -> MemoryUnitOfWork:
        database = self.plane.database

        def messages_of(_: object) -> RemoteDeviceMessages:
            return RemoteDeviceMessages(
                outbox=MemoryOutboxTable(database),
                waiting=MemoryWaitingCommands(database),
                service=self.service,
                new_id=self.plane.new_id,
            )

        return MemoryUnitOfWork(database, messages_of)


class RemotePostgresVillage(_Remote, PostgresVillage):
    """The village in PostgreSQL, with the real service behind a socket."""

    service: MessagingService

    def begin(self) -> SupabaseUnitOfWork:
        return SupabaseUnitOfWork(
            self.engine,
            lambda session: remote_messages(session, service=self.service, new_id=self.new_id),
            lambda: self.box,
        )


class Radio(StubPush):
    """A network server under the name of the real one, which reports what its ingress is told."""

    plugin_id = "calin-chirpstack"


def radio_environment(database_url: str, **document: Any) -> dict[str, str]:
    """The environment of a service whose only plug-in is the radio."""
    names = ("API_TOKEN", "APPLICATION_ID", "PROFILE_ID", "APP_KEY")
    chirpstack = {f"CHIRPSTACK_{name}": "unused" for name in names} | {"CHIRPSTACK_API_URL": "127.0.0.1:9"}
    return environment(database_url, plugins=RADIO, **document) | chirpstack


def know_radio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let services of this process have the radio in place of ChirpStack."""

    def build(_settings: object, new_id: Any) -> plugins.Plugin:
        stub = Radio(new_id)
        return plugins.Plugin(id=stub.plugin_id, push=stub, ingress=plugins._StubPosts(stub))

    monkeypatch.setitem(plugins.BUILDERS, "calin-chirpstack", build)  # type: ignore[arg-type]  # a dict, as it happens


@asynccontextmanager
async def remote_service(
    village: RemotePostgresVillage, database_url: str, monkeypatch: pytest.MonkeyPatch, **document: Any
) -> AsyncIterator[str]:
    """Run the service, and the API role's route that it tells of events; yields its address."""

    know_radio(monkeypatch)
    services = Services()
    receive = ReceiveDeliveryEvent(begin=village.begin, wakeups=village.wakeups)
    services.stand_alone_messaging = StandAloneMessaging(secret=SECRET, receive=receive, forward=None)
    async with TestServer(application("api", services, IdentityWorld())) as api:
        webhook = {"url": str(api.make_url("/device-messages/events")), "baseDelayMs": 100}
        async with running_service(radio_environment(database_url, eventWebhook=webhook, **document)) as url:
            client = DeviceMessagingClient(DeviceMessagingSettings(url=url, api_key=API_KEY))
            village.service = client
            yield url
            await client.close()
