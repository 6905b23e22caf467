"""``HardwareImports``: one suite over the fake and the HTTP adapter, which speaks to a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.provisioning_stub import ProvisioningStub

from nxt_adapters.internal.hardware_imports import ProvisioningRole
from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.gateways import MemoryHardwareImports
from nxt_adapters.resilience import CallPolicy, RetryPolicy
from nxt_domain.grids.gateways import ImportOperation, ImportOrder
from nxt_domain.shared.errors import Unavailable

HASTY = CallPolicy(timeout_s=0.5, retry=RetryPolicy(attempts=3, wait_initial_s=0.01, wait_max_s=0.01, jitter_s=0))
ADD = ImportOrder(operation=ImportOperation.ADD, session_id=5, dcu_id=3, request_id="r-1")
REMOVE = ImportOrder(operation=ImportOperation.REMOVE, session_id=6, dcu_id=3, request_id=None)


@pytest.fixture
async def stub() -> AsyncIterator[ProvisioningStub]:
    async with ProvisioningStub() as stub:
        yield stub


@pytest.fixture
async def role(stub: ProvisioningStub) -> AsyncIterator[ProvisioningRole]:
    role = ProvisioningRole(base_url=f"{stub.url}/", internal_key="inner", policy=HASTY)
    yield role
    await role.close()


@pytest.fixture(params=["memory", "http"])
def imports(request: pytest.FixtureRequest) -> Any:
    """The port, and what makes its other side fail, stay idle, or lose its answers."""
    if request.param == "memory":
        fake = MemoryHardwareImports(MemoryDatabase())
        return fake, fake
    stub = request.getfixturevalue("stub")
    return request.getfixturevalue("role"), stub


def away(other_side: Any) -> None:
    if isinstance(other_side, ProvisioningStub):
        other_side.statuses = [503] * 9
    else:
        other_side.is_away = True


async def test_an_order_gets_the_id_of_its_import(imports: Any) -> None:
    """[API-89] [API-184]"""
    port, _ = imports
    first, repeated = await port.order(ADD), await port.order(ADD)
    assert isinstance(first, int)
    assert first == repeated


async def test_no_import(imports: Any) -> None:
    """[API-89]"""
    port, other_side = imports
    other_side.is_idle = True
    assert await port.order(ADD) is None


@pytest.mark.parametrize("trouble", ["away", "loses_answers"])
async def test_trouble_has_one_name(imports: Any, trouble: str) -> None:
    """[API-89]"""
    port, other_side = imports
    if trouble == "away":
        away(other_side)
    else:
        other_side.loses_answers = True
    with pytest.raises(Unavailable, match=r"^Provisioning service unavailable$") as failed:
        await port.order(ADD)
    assert failed.value.code == "PROVISIONING_UNAVAILABLE"


async def test_what_is_sent(role: ProvisioningRole, stub: ProvisioningStub) -> None:
    """[API-89] [API-90] [API-185] Bodies, the internal key, and the request id for the log over there."""
    await role.order(ADD)
    await role.order(REMOVE)
    (add_headers, add), (remove_headers, remove) = stub.received
    assert add == [{"metering_hardware_install_session_id": 5, "metering_hardware_import_operation": "ADD"}]
    assert remove == [
        {"dcu_id": 3, "metering_hardware_install_session_id": 6, "metering_hardware_import_operation": "REMOVE"}
    ]
    assert (add_headers["X-API-KEY"], add_headers["X-Request-Id"]) == ("inner", "r-1")
    assert "X-Request-Id" not in remove_headers


async def test_a_stumble_is_repeated(role: ProvisioningRole, stub: ProvisioningStub) -> None:
    """[API-37] [API-89]"""
    stub.statuses = [503, 502]
    assert await role.order(ADD) == 900
    assert len(stub.received) == 3


@pytest.mark.parametrize("status", [200, 400, 401, 409, 500])
async def test_other_answers_are_no_imports(role: ProvisioningRole, stub: ProvisioningStub, status: int) -> None:
    """[API-89] A refusal, even one of our key, is the platform's trouble and not the caller's [API-16]."""
    stub.statuses = [status]
    with pytest.raises(Unavailable):
        await role.order(ADD)
    assert len(stub.received) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[{}]", b'[{"id":"7"}]', b"[null]", b'[{"id":'])
async def test_nonsense_is_trouble(role: ProvisioningRole, stub: ProvisioningStub, body: bytes) -> None:
    """[API-38]"""
    stub.body = body
    with pytest.raises(Unavailable):
        await role.order(ADD)


async def test_slow_and_absent(role: ProvisioningRole, stub: ProvisioningStub) -> None:
    """[API-36] [API-186]"""
    stub.delay_s = 5
    with pytest.raises(Unavailable):
        await role.order(ADD)
    with pytest.raises(Unavailable):
        await ProvisioningRole(base_url=None, internal_key=None).order(ADD)
