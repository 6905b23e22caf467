"""Port ``PushPlugin``: one suite over the fake, and over ChirpStack's adapter against the simulator by gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Protocol

import attrs
import pytest
from prometheus_client import CollectorRegistry

from nxt_adapters.chirpstack import ChirpStackApi, ChirpStackNetworkServer, ChirpStackSettings
from nxt_adapters.memory.network_server import MemoryNetworkServer
from nxt_adapters.resilience import BreakerPolicy, CallPolicy, OutboundMetrics, RetryPolicy
from nxt_domain.messaging.model import (
    TOKEN_COMMANDS,
    CommandType,
    DeliveryStatus,
    Device,
    DeviceMessage,
    NewMessage,
    Phase,
    RequestData,
    SetDate,
)
from nxt_domain.messaging.ports import PushPlugin, RemoteStatusUnknown, SendFailed
from nxt_entrypoints.simulators.chirpstack.simulator import ChirpStack, ChirpStackConfig
from nxt_entrypoints.simulators.fleet import Fleet, FleetMeter, Village
from nxt_entrypoints.simulators.state import StateStore

METER, OTHER, STRANGER = "47003333771", "47001891341", "47300000009"
TOKEN = "12345678901234567890"
NOW = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)


def message(command: CommandType = CommandType.READ_CREDIT, **changes: object) -> DeviceMessage:
    facts = {
        "id": "01J8ZQ4T7M0000000000000000",
        "command_type": command,
        "priority": 30.0,
        "plugin_id": "plugin",
        "device": Device(external_reference=METER),
        "ready_queue": "queue:plugin:network:42",
        "enqueued_at": NOW,
        "expires_at": NOW + timedelta(days=7),
        "delivery_status": DeliveryStatus.SENT_TO_NS,
    }
    return DeviceMessage(**{**facts, **changes})


class NetworkServer(Protocol):
    """A network server under test, whose gateways are switched off, with the handles to break it."""

    plugin: PushPlugin

    def waiting(self) -> int: ...
    async def radiate(self) -> None: ...
    def take_down(self) -> None: ...
    def bring_up(self) -> None: ...
    def lose_answers(self) -> None: ...


class Fake:
    def __init__(self) -> None:
        self.fake = MemoryNetworkServer("plugin")
        self.fake.unregistered.add(STRANGER)
        self.plugin: PushPlugin = self.fake

    def waiting(self) -> int:
        return sum(map(len, self.fake.queues.values()))

    async def radiate(self) -> None:
        self.fake.transmit(METER)

    def take_down(self) -> None:
        self.fake.is_down = True

    def bring_up(self) -> None:
        self.fake.is_down = False

    def lose_answers(self) -> None:
        self.fake.lose_next_answer()


class Simulated:
    def __init__(self, simulator: ChirpStack, plugin: ChirpStackNetworkServer) -> None:
        self.simulator = simulator
        self.plugin: PushPlugin = plugin

    def waiting(self) -> int:
        return sum(len(device.queue) for device in self.simulator.world.devices.values())

    async def radiate(self) -> None:
        world = self.simulator.world
        world.switch_gateways(list(world.gateways.values()), is_online=True)
        for _ in range(500):
            if not self.waiting():
                return
            await asyncio.sleep(0.01)
        raise AssertionError("nothing was radiated within 5 s")

    def take_down(self) -> None:
        self.simulator.control.update({"down": True})

    def bring_up(self) -> None:
        self.simulator.control.update({"down": False, "garbage_rate": 0})

    def lose_answers(self) -> None:
        self.simulator.control.update({"garbage_rate": 1})


@pytest.fixture(params=["memory", "chirpstack"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[NetworkServer]:
    if request.param == "memory":
        yield Fake()
        return
    village = Village(
        grid_id=42,
        gateways=("a84041ffff1e2f30",),
        meters=(
            FleetMeter(number=METER),
            FleetMeter(number=OTHER),
            FleetMeter(number=STRANGER, is_registered=False),
        ),
    )
    config = ChirpStackConfig(api_token="token-1", report_every_s=0)
    simulator = ChirpStack(config, Fleet(villages=(village,)), StateStore(), speed=50)
    await simulator.start()
    simulator.world.switch_gateways(list(simulator.world.gateways.values()), is_online=False)
    policy = CallPolicy(
        timeout_s=2.0,
        retry=RetryPolicy(attempts=2, wait_initial_s=0, wait_max_s=0, jitter_s=0),
        breaker=BreakerPolicy(failures=100),
    )
    settings = ChirpStackSettings(api_url=simulator.grpc.target, api_token=lambda: "token-1", policy=policy)
    plugin = ChirpStackNetworkServer(ChirpStackApi(settings, metrics=OutboundMetrics(CollectorRegistry())))
    yield Simulated(simulator, plugin)
    await plugin.close()
    await simulator.stop()


async def failure_of(server: NetworkServer, sent: DeviceMessage) -> SendFailed:
    with pytest.raises(SendFailed) as failed:
        await server.plugin.send(sent)
    return failed.value


async def test_each_message_gets_an_id_of_its_own(server: NetworkServer) -> None:
    """[DM-42] [DM-93]"""
    first = await server.plugin.send(message())
    second = await server.plugin.send(message())
    assert first
    assert second
    assert first != second
    assert server.waiting() == 2


async def test_a_waiting_message_keeps_its_status_and_a_radiated_one_is_gone(server: NetworkServer) -> None:
    """[DM-46] [DM-99]"""
    sent = message(delivery_status=DeliveryStatus.DELIVERED_TO_NS)
    queued = attrs.evolve(sent, delivery_queue_id=await server.plugin.send(sent))
    assert await server.plugin.remote_status(queued) is DeliveryStatus.DELIVERED_TO_NS
    other = attrs.evolve(queued, delivery_queue_id="0f6e2a4c-8f0a-4a55-9d3a-1c0e7f0b5a11")
    assert await server.plugin.remote_status(other) is DeliveryStatus.DELIVERY_FAILED
    await server.radiate()
    assert await server.plugin.remote_status(queued) is DeliveryStatus.DELIVERY_FAILED


async def test_a_device_that_is_not_registered_is_a_final_failure(server: NetworkServer) -> None:
    """[DM-94]"""
    failed = await failure_of(server, message(device=Device(external_reference=STRANGER)))
    assert failed.failure.skip_retry
    assert failed.failure.reason.startswith("Device not registered in Network Server")


async def test_a_device_that_is_not_registered_has_nothing_waiting(server: NetworkServer) -> None:
    """[DM-99] [R20]"""
    unknown = message(device=Device(external_reference=STRANGER), delivery_queue_id="x")
    assert await server.plugin.remote_status(unknown) is DeliveryStatus.DELIVERY_FAILED
    assert await server.plugin.adopt(unknown) is None


@pytest.mark.parametrize(
    "impossible",
    [
        message(CommandType.SET_DATE),
        message(CommandType.SET_TIME, request_data=RequestData(payload=SetDate(year=2026, month=1, day=1))),
        *(message(command) for command in sorted(TOKEN_COMMANDS)),
    ],
    ids=lambda sent: sent.command_type,
)
async def test_a_command_without_what_it_needs_is_a_final_failure(
    server: NetworkServer, impossible: DeviceMessage
) -> None:
    """[DM-8] [DM-79]"""
    failed = await failure_of(server, impossible)
    assert failed.failure.reason == "Could not encode request data prior to sending to device"
    assert failed.failure.skip_retry
    assert await server.plugin.adopt(impossible) is None
    assert server.waiting() == 0


async def test_an_outage_fails_the_attempt_and_answers_no_question(server: NetworkServer) -> None:
    """[DM-94] [DM-33] [DM-189]"""
    queued = message(delivery_queue_id=await server.plugin.send(message()))
    server.take_down()
    assert not (await failure_of(server, message())).failure.skip_retry
    with pytest.raises(RemoteStatusUnknown):
        await server.plugin.remote_status(queued)
    with pytest.raises(RemoteStatusUnknown):
        await server.plugin.adopt(queued)
    server.bring_up()
    assert await server.plugin.remote_status(queued) is DeliveryStatus.SENT_TO_NS
    assert await server.plugin.send(message())


async def test_a_frame_whose_answer_was_lost_is_found_again(server: NetworkServer) -> None:
    """[R20] [DM-17]"""
    top_up = message(CommandType.TOP_UP_KWH, request_data=RequestData(token=TOKEN))
    server.lose_answers()
    assert not (await failure_of(server, top_up)).failure.skip_retry
    server.bring_up()
    assert server.waiting() == 1
    found = await server.plugin.adopt(top_up)
    assert found
    adopted = attrs.evolve(top_up, delivery_queue_id=found)
    assert await server.plugin.remote_status(adopted) is DeliveryStatus.SENT_TO_NS


async def test_only_an_item_with_the_same_frame_is_adopted(server: NetworkServer) -> None:
    """[R20]"""
    read = message(CommandType.READ_VOLTAGE, phase=Phase.B)
    item = await server.plugin.send(read)
    assert await server.plugin.adopt(message(CommandType.READ_VOLTAGE, phase=Phase.C)) is None
    assert await server.plugin.adopt(message(CommandType.READ_CREDIT)) is None
    elsewhere = message(CommandType.READ_VOLTAGE, phase=Phase.B, device=Device(external_reference=OTHER))
    assert await server.plugin.adopt(elsewhere) is None
    assert await server.plugin.adopt(read) == item


async def test_all_token_commands_look_alike_on_the_wire(server: NetworkServer) -> None:
    """[DM-78] [R20]"""
    request = RequestData(token=TOKEN)
    item = await server.plugin.send(message(CommandType.TOP_UP_KWH, request_data=request))
    same = message(CommandType.DELIVER_PREEXISTING_TOKEN, request_data=request)
    assert await server.plugin.adopt(same) == item


async def test_a_radio_network_is_one_ready_queue(server: NetworkServer) -> None:
    """[DM-23]"""
    plugin = server.plugin
    command = NewMessage(
        command_type=CommandType.READ_CREDIT,
        priority=1,
        plugin_id=plugin.plugin_id,
        device=Device(external_reference=METER),
        network_id=42,
    )
    assert plugin.ready_queue(command) == f"queue:{plugin.plugin_id}:network:42"
    nowhere = attrs.evolve(command, network_id=None)
    assert plugin.ready_queue(nowhere) == f"queue:{plugin.plugin_id}:network:unassigned"
    zero = attrs.evolve(command, network_id=0)
    assert plugin.ready_queue(zero) == f"queue:{plugin.plugin_id}:network:0"


async def test_what_is_supported_can_be_enqueued(server: NetworkServer) -> None:
    """[DM-6] [DM-7]"""
    supported = server.plugin.supported_commands
    assert supported
    assert not supported & {CommandType.READ_REPORT, CommandType.JOIN_NETWORK}
