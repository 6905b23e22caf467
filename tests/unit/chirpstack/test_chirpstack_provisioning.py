"""Registering meters at ChirpStack, and its gateways."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import grpc
import pytest
from chirpstack_api import api
from google.protobuf.empty_pb2 import Empty
from prometheus_client import CollectorRegistry

from nxt_adapters.chirpstack import (
    ChirpStackApi,
    ChirpStackGateways,
    ChirpStackMeterRegistry,
    ChirpStackSettings,
    GatewayPresence,
    Registration,
    RegistrationFailed,
    RegistrationSettings,
)
from nxt_adapters.chirpstack.settings import REGISTRATION_RETRY
from nxt_adapters.resilience import CallPolicy, OutboundMetrics, RetryPolicy
from nxt_domain.shared.errors import UpstreamFailed

if TYPE_CHECKING:
    from conftest import Server

METER, EUI = "47003333771", "0000047003333771"
APP_KEY = "00112233445566778899aabbccddeeff"
NOW_OR_NEVER = RetryPolicy(attempts=2, wait_initial_s=0, wait_max_s=0, jitter_s=0)
DONE = Empty()
EXISTS = (grpc.StatusCode.ALREADY_EXISTS, "Object already exists")
MISSING = (grpc.StatusCode.NOT_FOUND, "Object does not exist")
DOWN = (grpc.StatusCode.UNAVAILABLE, "down")
KEYS = api.GetDeviceKeysResponse(device_keys=api.DeviceKeys(dev_eui=EUI, nwk_key=APP_KEY))


@pytest.fixture
async def rpc(server: Server) -> AsyncIterator[ChirpStackApi]:
    settings = ChirpStackSettings(
        api_url=f"127.0.0.1:{server.port}",
        api_token=lambda: "token-1",
        policy=CallPolicy(timeout_s=1.0, retry=NOW_OR_NEVER),
        registration_retry=NOW_OR_NEVER,
    )
    rpc = ChirpStackApi(settings, metrics=OutboundMetrics(CollectorRegistry()))
    yield rpc
    await rpc.close()


@pytest.fixture
def registry(rpc: ChirpStackApi) -> ChirpStackMeterRegistry:
    settings = RegistrationSettings(application_id="app-1", profile_id="profile-1", app_key=lambda: APP_KEY)
    assert APP_KEY not in repr(settings)
    return ChirpStackMeterRegistry(rpc, settings)


async def test_a_new_meter_gets_device_and_key(server: Server, registry: ChirpStackMeterRegistry) -> None:
    """[DM-95] [DM-96] [MET-166] [MET-43]"""
    server.script("Create", DONE)
    server.script("CreateKeys", DONE)
    assert await registry.register(METER) == Registration(is_new=True)
    [create], [keys] = server.requests("Create"), server.requests("CreateKeys")
    assert create.device == api.Device(dev_eui=EUI, name=METER, application_id="app-1", device_profile_id="profile-1")
    assert keys.device_keys == api.DeviceKeys(dev_eui=EUI, nwk_key=APP_KEY)
    assert server.requests("GetKeys") == []


async def test_a_known_meter_is_no_error_and_keeps_its_key(server: Server, registry: ChirpStackMeterRegistry) -> None:
    """[DM-95] [DM-96]"""
    server.script("Create", EXISTS)
    server.script("GetKeys", KEYS)
    assert await registry.register(METER) == Registration(is_new=False)
    assert server.requests("CreateKeys") == []


@pytest.mark.parametrize("keys", [MISSING, api.GetDeviceKeysResponse(), (grpc.StatusCode.UNIMPLEMENTED, "")])
async def test_a_known_meter_without_key_gets_one(
    server: Server, registry: ChirpStackMeterRegistry, keys: object
) -> None:
    """[MET-166]"""
    server.script("Create", EXISTS)
    server.script("GetKeys", keys)
    server.script("CreateKeys", DONE)
    assert await registry.register(METER) == Registration(is_new=False)
    assert len(server.requests("CreateKeys")) == 1


async def test_keys_that_exist_already_are_fine(server: Server, registry: ChirpStackMeterRegistry) -> None:
    """[MET-166]"""
    server.script("Create", EXISTS)
    server.script("GetKeys", MISSING)
    server.script("CreateKeys", EXISTS)
    assert await registry.register(METER) == Registration(is_new=False)


async def test_after_any_other_error_a_device_that_is_found_counts_as_known(
    server: Server, registry: ChirpStackMeterRegistry
) -> None:
    """[DM-95]"""
    server.script("Create", (grpc.StatusCode.INTERNAL, "odd"))
    server.script("Get", api.GetDeviceResponse(device=api.Device(dev_eui=EUI)))
    server.script("GetKeys", KEYS)
    assert await registry.register(METER) == Registration(is_new=False)


@pytest.mark.parametrize("found", [MISSING, DOWN, api.GetDeviceResponse()])
async def test_a_device_that_is_not_found_either_is_a_failure(
    server: Server, registry: ChirpStackMeterRegistry, found: object
) -> None:
    """[DM-95]"""
    server.script("Create", (grpc.StatusCode.INVALID_ARGUMENT, "no such profile"))
    server.script("Get", found)
    with pytest.raises(RegistrationFailed, match="no such profile"):
        await registry.register(METER)
    assert len(server.requests("Create")) == 1
    assert server.requests("CreateKeys") == []


async def test_trouble_is_tried_again(server: Server, registry: ChirpStackMeterRegistry) -> None:
    """[MET-166]"""
    server.script("Create", DOWN, DONE)
    server.script("CreateKeys", DOWN, DONE)
    assert await registry.register(METER) == Registration(is_new=True)
    assert len(server.calls) == 4


def test_the_repeats_come_after_2_4_and_8_seconds() -> None:
    """[MET-166]"""
    assert (REGISTRATION_RETRY.attempts, REGISTRATION_RETRY.wait_initial_s, REGISTRATION_RETRY.wait_max_s) == (
        4,
        2.0,
        8.0,
    )


async def test_a_key_that_is_not_taken_is_reported_without_being_shown(
    server: Server, registry: ChirpStackMeterRegistry
) -> None:
    """[DM-96] [DM-171]"""
    server.script("Create", DONE)
    server.script("CreateKeys", (grpc.StatusCode.INVALID_ARGUMENT, "bad key"))
    with pytest.raises(RegistrationFailed, match="The device is registered, its keys are not") as failed:
        await registry.register(METER)
    assert APP_KEY not in str(failed.value)


async def test_a_removed_meter_stays(server: Server, registry: ChirpStackMeterRegistry) -> None:
    """[DM-97]"""
    await registry.deregister(METER)
    assert server.calls == []


def page(*gateways: tuple[str, int], total: int) -> api.ListGatewaysResponse:
    result = [api.GatewayListItem(gateway_id=eui, state=state) for eui, state in gateways]
    return api.ListGatewaysResponse(total_count=total, result=result)


async def test_all_pages_of_gateways_are_read(server: Server, rpc: ChirpStackApi) -> None:
    """[DM-98] [TEL-58]"""
    server.script("List", page(("a", 1), ("b", 2), total=3), DOWN, page(("c", 0), total=3))
    assert await ChirpStackGateways(rpc).list_gateways() == [
        GatewayPresence(external_reference="a", is_online=True),
        GatewayPresence(external_reference="b", is_online=False),
        GatewayPresence(external_reference="c", is_online=False),
    ]
    assert [(call.limit, call.offset) for call in server.requests("List")] == [(100, 0), (100, 2), (100, 2)]
    assert all(5 < deadline < 10.5 for deadline in server.deadlines)


async def test_an_empty_page_ends_the_list(server: Server, rpc: ChirpStackApi) -> None:
    """[TEL-58]"""
    server.script("List", page(("a", 1), total=9), page(total=9))
    assert len(await ChirpStackGateways(rpc).list_gateways()) == 1


async def test_half_a_list_is_no_list(server: Server, rpc: ChirpStackApi) -> None:
    """[TEL-58] one repeat a page"""
    server.script("List", page(("a", 1), total=9), DOWN)
    with pytest.raises(UpstreamFailed):
        await ChirpStackGateways(rpc).list_gateways()
    assert len(server.requests("List")) == 3
