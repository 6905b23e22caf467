"""ChirpStack by gRPC: what goes over the wire, and what each failure becomes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import attrs
import grpc
import pytest
from chirpstack_api import api
from prometheus_client import CollectorRegistry

from nxt_adapters.chirpstack import ChirpStackApi, ChirpStackNetworkServer, ChirpStackSettings, is_switched_on
from nxt_adapters.resilience import BreakerPolicy, CallPolicy, OutboundMetrics, RetryPolicy
from nxt_domain.messaging.model import (
    CommandType,
    DeliveryStatus,
    Device,
    DeviceMessage,
    FailureContext,
    RequestData,
)
from nxt_domain.messaging.ports import RemoteStatusUnknown, SendFailed
from nxt_domain.shared.errors import InvalidInput, UpstreamFailed

if TYPE_CHECKING:
    from conftest import Server

METER, EUI = "47003333771", "0000047003333771"
CREDIT_FRAME = bytes.fromhex("68 71 37 33 03 70 04 68 01 02 54 17 90 16")
NOT_ENQUEUED = "Failed to enqueue message at ChirpStack"
QUICK = CallPolicy(
    timeout_s=0.5,
    retry=RetryPolicy(attempts=2, wait_initial_s=0, wait_max_s=0, jitter_s=0),
    breaker=BreakerPolicy(failures=100, open_s=60),
)
UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, "upstream connect error")
EMPTY_QUEUE = api.GetDeviceQueueItemsResponse()
NOW = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)


def read_credit(**changes: object) -> DeviceMessage:
    facts = {
        "id": "01J8ZQ4T7M0000000000000000",
        "command_type": CommandType.READ_CREDIT,
        "priority": 30.0,
        "plugin_id": "calin-chirpstack",
        "device": Device(external_reference=METER),
        "ready_queue": "queue:calin-chirpstack:network:42",
        "enqueued_at": NOW,
        "expires_at": NOW + timedelta(days=7),
    }
    return DeviceMessage(**{**facts, **changes})


def enqueued(item: str = "item-1") -> api.EnqueueDeviceQueueItemResponse:
    return api.EnqueueDeviceQueueItemResponse(id=item)


def queue(*items: tuple[str, bytes]) -> api.GetDeviceQueueItemsResponse:
    result = [api.DeviceQueueItem(id=item, data=data, f_port=1) for item, data in items]
    return api.GetDeviceQueueItemsResponse(total_count=len(result), result=result)


class Client:
    """The plug-in under test, with its metrics and a token that can change."""

    def __init__(self, port: int, policy: CallPolicy = QUICK) -> None:
        self.registry = CollectorRegistry()
        self.token = "token-1"
        settings = ChirpStackSettings(api_url=f"127.0.0.1:{port}", api_token=lambda: self.token, policy=policy)
        self.plugin = ChirpStackNetworkServer(ChirpStackApi(settings, metrics=OutboundMetrics(self.registry)))

    async def failure(self, message: DeviceMessage) -> FailureContext:
        with pytest.raises(SendFailed) as failed:
            await self.plugin.send(message)
        return failed.value.failure

    def outcomes(self, operation: str) -> dict[str, float]:
        samples = next(m for m in self.registry.collect() if m.name == "nxt_outbound_calls").samples
        return {
            sample.labels["outcome"]: sample.value
            for sample in samples
            if sample.labels["operation"] == operation and sample.name.endswith("_total")
        }


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    client = Client(server.port)
    yield client
    await client.plugin.close()


async def test_a_command_becomes_a_confirmed_downlink_on_port_1(server: Server, client: Client) -> None:
    """[DM-92] [DM-93] [DM-45]"""
    server.script("Enqueue", enqueued("0f6e2a4c"))
    assert await client.plugin.send(read_credit()) == "0f6e2a4c"
    [request] = server.requests("Enqueue")
    item = request.queue_item
    assert (item.dev_eui, item.f_port, item.confirmed, item.data) == (EUI, 1, True, CREDIT_FRAME)
    assert server.tokens == ["Bearer token-1"]
    assert 0 < server.deadlines[0] < 0.6
    assert client.outcomes("enqueue") == {"ok": 1}


async def test_the_default_deadline_is_a_minute(server: Server) -> None:
    """[DM-92] [DM-45]"""
    settings = ChirpStackSettings(api_url=f"127.0.0.1:{server.port}", api_token=lambda: "t")
    plugin = ChirpStackNetworkServer(ChirpStackApi(settings, metrics=OutboundMetrics(CollectorRegistry())))
    server.script("Enqueue", enqueued())
    await plugin.send(read_credit())
    await plugin.close()
    assert 55 < server.deadlines[0] < 60.5


async def test_the_token_may_change_without_a_restart(server: Server, client: Client) -> None:
    server.script("Enqueue", enqueued())
    await client.plugin.send(read_credit())
    client.token = "token-2"
    await client.plugin.send(read_credit())
    assert server.tokens == ["Bearer token-1", "Bearer token-2"]


@pytest.mark.parametrize("status", [grpc.StatusCode.INTERNAL, grpc.StatusCode.INVALID_ARGUMENT])
async def test_an_unregistered_device_fails_for_good(server: Server, client: Client, status: grpc.StatusCode) -> None:
    """[DM-94] whatever the status, and without harm to the circuit"""
    details = 'insert violates foreign key constraint "device_queue_item_dev_eui_fkey"'
    server.script("Enqueue", (status, details))
    assert await client.failure(read_credit()) == FailureContext(
        reason="Device not registered in Network Server (ChirpStack)",
        error_code=status.value[0],
        details=details,
        skip_retry=True,
    )
    assert client.outcomes("enqueue") == {"refused": 1}
    assert server.requests("GetQueue") == []


@pytest.mark.parametrize(
    ("status", "asks_queue"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, False),
        (grpc.StatusCode.INVALID_ARGUMENT, False),
        (grpc.StatusCode.UNAVAILABLE, True),
        (grpc.StatusCode.INTERNAL, True),
        (grpc.StatusCode.UNKNOWN, True),
    ],
)
async def test_any_other_error_fails_the_attempt(
    server: Server, client: Client, status: grpc.StatusCode, asks_queue: bool
) -> None:
    """[DM-94]"""
    server.script("Enqueue", (status, "no such luck"))
    server.script("GetQueue", EMPTY_QUEUE)
    assert await client.failure(read_credit()) == FailureContext(
        reason=NOT_ENQUEUED, error_code=status.value[0], details="no such luck"
    )
    assert len(server.requests("Enqueue")) == 1, "the engine's ladder repeats, not the client"
    assert bool(server.requests("GetQueue")) is asks_queue


async def test_a_silent_server_fails_the_attempt_in_time(server: Server, client: Client) -> None:
    """[DM-94] [DM-45] [DM-189]"""
    server.script("Enqueue", 5.0)
    server.script("GetQueue", EMPTY_QUEUE)
    async with asyncio.timeout(2):
        failure = await client.failure(read_credit())
    assert (failure.reason, failure.error_code, failure.skip_retry) == (NOT_ENQUEUED, 4, False)


async def test_an_absent_server_fails_the_attempt(unused_tcp_port: int) -> None:
    """[DM-94] [DM-189]"""
    client = Client(unused_tcp_port)
    failure = await client.failure(read_credit())
    assert (failure.reason, failure.error_code) == (NOT_ENQUEUED, 14)
    with pytest.raises(RemoteStatusUnknown):
        await client.plugin.remote_status(read_credit(delivery_queue_id="x"))
    assert client.outcomes("enqueue") == {"not_reached": 1}
    await client.plugin.close()


async def test_a_server_that_comes_back_is_found_again(server: Server, client: Client) -> None:
    """[DM-189]"""
    server.script("Enqueue", enqueued())
    assert await client.plugin.send(read_credit())
    await server.stop()
    assert (await client.failure(read_credit())).error_code == 14
    await server.start()
    assert await send_until_taken(client) == "item-1"


async def send_until_taken(client: Client) -> str:
    """Send every 0.1 s for 10 s, as an engine's ladder would."""
    for _ in range(100):
        try:
            return await client.plugin.send(read_credit())
        except SendFailed:
            await asyncio.sleep(0.1)
    raise AssertionError("the server was not found again within 10 s")


@pytest.mark.parametrize("trouble", [UNAVAILABLE, 5.0, enqueued(""), b"\xff\xff\xff garbage"])
async def test_a_frame_that_arrived_although_its_call_failed_is_not_sent_again(
    server: Server, client: Client, trouble: object
) -> None:
    """[R20] [DM-4]"""
    server.script("Enqueue", trouble)
    server.script("GetQueue", queue(("old", CREDIT_FRAME), ("other", b"\x68"), ("new", CREDIT_FRAME)))
    assert await client.plugin.send(read_credit()) == "new"
    assert len(server.requests("Enqueue")) == 1


@pytest.mark.parametrize("trouble", [enqueued(""), b"\xff\xff\xff garbage"])
async def test_an_answer_without_sense_fails_the_attempt(server: Server, client: Client, trouble: object) -> None:
    """[DM-94] [DM-42]"""
    server.script("Enqueue", trouble)
    server.script("GetQueue", EMPTY_QUEUE)
    failure = await client.failure(read_credit())
    assert (failure.reason, failure.skip_retry) == (NOT_ENQUEUED, False)
    assert failure.error_code is not None


async def test_what_cannot_be_encoded_never_leaves(server: Server, client: Client) -> None:
    """[DM-79]"""
    for impossible in (
        read_credit(command_type=CommandType.READ_VERSION),
        read_credit(device=Device(external_reference="not-a-number")),
        read_credit(command_type=CommandType.TOP_UP_KWH, request_data=RequestData(token="123")),
    ):
        failure = await client.failure(impossible)
        assert failure.reason == "Could not encode request data prior to sending to device"
        assert failure.skip_retry
        assert "123" not in (failure.details or "")
    assert server.calls == []


async def test_the_remote_status_asks_the_devices_queue(server: Server, client: Client) -> None:
    """[DM-99] [DM-46]"""
    server.script("GetQueue", queue(("a", b"1"), ("b", b"2")))
    waiting = read_credit(delivery_queue_id="b", delivery_status=DeliveryStatus.DELIVERED_TO_NS)
    assert await client.plugin.remote_status(waiting) is DeliveryStatus.DELIVERED_TO_NS
    assert server.requests("GetQueue")[0].dev_eui == EUI
    gone = read_credit(delivery_queue_id="c")
    assert await client.plugin.remote_status(gone) is DeliveryStatus.DELIVERY_FAILED
    nameless = read_credit(delivery_queue_id="")
    assert await client.plugin.remote_status(nameless) is DeliveryStatus.DELIVERY_FAILED


@pytest.mark.parametrize("status", [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE])
async def test_a_question_that_fails_is_no_evidence(server: Server, client: Client, status: grpc.StatusCode) -> None:
    """[DM-33]"""
    server.script("GetQueue", (status, "no"))
    with pytest.raises(RemoteStatusUnknown):
        await client.plugin.remote_status(read_credit(delivery_queue_id="a"))
    with pytest.raises(RemoteStatusUnknown):
        await client.plugin.adopt(read_credit())


async def test_harmless_questions_are_repeated(server: Server, client: Client) -> None:
    server.script("GetQueue", UNAVAILABLE, queue(("a", CREDIT_FRAME)))
    assert await client.plugin.adopt(read_credit()) == "a"
    assert client.outcomes("get_queue") == {"faulty": 1, "ok": 1}


async def test_an_unknown_device_has_no_queue(server: Server, client: Client) -> None:
    """[DM-99] [R20]"""
    server.script("GetQueue", (grpc.StatusCode.NOT_FOUND, "Object does not exist"))
    assert await client.plugin.adopt(read_credit()) is None
    gone = read_credit(delivery_queue_id="a")
    assert await client.plugin.remote_status(gone) is DeliveryStatus.DELIVERY_FAILED


async def test_a_failing_server_is_left_alone_for_a_while(server: Server) -> None:
    """[DM-189] the circuit opens, and attempts fail at once"""
    client = Client(server.port, attrs.evolve(QUICK, breaker=BreakerPolicy(failures=4, open_s=60)))
    server.script("Enqueue", UNAVAILABLE)
    server.script("GetQueue", UNAVAILABLE)
    for _ in range(3):
        await client.failure(read_credit())
    asked = len(server.calls)
    failure = await client.failure(read_credit())
    assert len(server.calls) == asked
    assert (failure.reason, failure.error_code, failure.skip_retry) == (NOT_ENQUEUED, 14, False)
    await client.plugin.close()


async def test_too_many_sends_at_once_wait_and_then_fail_for_later(server: Server) -> None:
    policy = CallPolicy(timeout_s=2.0, concurrency=1, queue_timeout_s=0.05, retry=QUICK.retry)
    client = Client(server.port, policy)
    server.script("Enqueue", 0.5)
    server.script("GetQueue", EMPTY_QUEUE)
    first = asyncio.create_task(client.failure(read_credit()))
    await asyncio.sleep(0.1)
    assert (await client.failure(read_credit())).error_code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    await first
    await client.plugin.close()


async def test_the_doctors_question(server: Server, client: Client) -> None:
    server.script("List", api.ListGatewaysResponse(total_count=7))
    assert await client.plugin.check() == "ChirpStack answers and lists 7 gateways"
    server.script("List", (grpc.StatusCode.UNAUTHENTICATED, "invalid token"))
    with pytest.raises(UpstreamFailed, match="invalid token"):
        await client.plugin.check()


async def test_a_closed_plugin_opens_again(server: Server, client: Client) -> None:
    server.script("Enqueue", enqueued())
    await client.plugin.send(read_credit())
    await client.plugin.close()
    await client.plugin.close()
    assert await client.plugin.send(read_credit()) == "item-1"


@pytest.mark.parametrize("address", ["", "host", "http://host:8080", "host:", ":8080", "host:8080/", "a b:1"])
def test_the_address_is_host_and_port(address: str) -> None:
    """[DM-92]"""
    with pytest.raises(InvalidInput):
        ChirpStackSettings(api_url=address, api_token=str)


def test_settings_hide_the_token() -> None:
    """[DM-171]"""
    assert "secret" not in repr(ChirpStackSettings(api_url="[::1]:8080", api_token=lambda: "secret"))


def test_tls_is_on_for_true_and_1_alone() -> None:
    """[DM-92]"""
    assert [is_switched_on(value) for value in ("true", "1", " TRUE ", "false", "0", "", None, "yes")] == [
        True,
        True,
        True,
        False,
        False,
        False,
        False,
        False,
    ]
