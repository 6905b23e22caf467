"""Port ``TopUpBot``: one suite over the fake, and over Flow XO against a simulated one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import attrs
import pytest
from prometheus_client import CollectorRegistry

from nxt_adapters.flowxo import NO_PHONE, FlowXoSettings, FlowXoTopUps
from nxt_adapters.memory.bot import MemoryTopUpBot
from nxt_adapters.resilience import CallPolicy, OutboundMetrics, RetryPolicy
from nxt_domain.orders.bot_notices import BotStatus, TopUpBot, TopUpNotice
from nxt_domain.shared.errors import InvalidInput, UpstreamFailed
from nxt_entrypoints.simulators.flowxo.simulator import FlowXo, FlowXoConfig

NOTICE = TopUpNotice(
    interaction_id=4711,
    grid_name="Umuoke",
    customer_name="Customer 1",
    customer_phone="2348031234567",
    meter_external_reference="47001771477",
    token="12345678901234567890",
    energy_kwh=Decimal("12.30"),
    amount=Decimal("5000.0000"),
    response_token="umuoke-flow",
)


class Chat(Protocol):
    """A bot under test, with the handles to look at it and to break it."""

    port: TopUpBot

    def told(self) -> Sequence[tuple[int, str]]: ...
    def go_down(self) -> None: ...


class FakeChat:
    def __init__(self) -> None:
        self.fake = MemoryTopUpBot()
        self.port: TopUpBot = self.fake

    def told(self) -> Sequence[tuple[int, str]]:
        announced = [(notice.interaction_id, "PENDING") for notice in self.fake.announced]
        return announced + [(number, status.value) for number, status in self.fake.followed_up]

    def go_down(self) -> None:
        self.fake.is_down = True


class SimulatedChat:
    def __init__(self, simulator: FlowXo, adapter: FlowXoTopUps) -> None:
        self.simulator = simulator
        self.port: TopUpBot = adapter

    def told(self) -> Sequence[tuple[int, str]]:
        return [(notice["directive_id"], notice["directive_status"]) for notice in self.simulator.notices]

    def go_down(self) -> None:
        self.simulator.control.update({"down": True})


def flowxo(simulator: FlowXo, **settings: Any) -> FlowXoTopUps:
    known = FlowXoSettings(
        host=simulator.api_url, endpoint=simulator.endpoint, response_path="https://bot.example.org/topups"
    )
    retry = RetryPolicy(attempts=2, wait_initial_s=0, wait_max_s=0, jitter_s=0)
    policy = CallPolicy(timeout_s=1.0, retry=retry)
    return FlowXoTopUps(attrs.evolve(known, **settings), policy=policy, metrics=OutboundMetrics(CollectorRegistry()))


@pytest.fixture
async def simulator() -> AsyncIterator[FlowXo]:
    made = FlowXo(FlowXoConfig())
    await made.start()
    yield made
    await made.stop()


@pytest.fixture(params=["memory", "flowxo"])
async def chat(request: pytest.FixtureRequest, simulator: FlowXo) -> AsyncIterator[Chat]:
    if request.param == "memory":
        yield FakeChat()
        return
    adapter = flowxo(simulator)
    yield SimulatedChat(simulator, adapter)
    await adapter.close()


async def test_pay_119_a_token_and_its_end(chat: Chat) -> None:
    """[PAY-119] [AUTO-109] [AUTO-110]"""
    await chat.port.announce(NOTICE)
    await chat.port.follow_up(4711, BotStatus.SUCCESSFUL)
    await chat.port.follow_up(4712, BotStatus.FAILED)
    assert chat.told() == [(4711, "PENDING"), (4711, "SUCCESSFUL"), (4712, "FAILED")]


async def test_a_bot_that_is_away(chat: Chat) -> None:
    """[PAY-131] A failure is an error, never silence."""
    chat.go_down()
    with pytest.raises(UpstreamFailed):
        await chat.port.announce(NOTICE)
    with pytest.raises(UpstreamFailed):
        await chat.port.follow_up(4711, BotStatus.FAILED)
    assert chat.told() == []


async def test_pay_119_word_for_word(simulator: FlowXo) -> None:
    """[PAY-119] [PAY-3] The fields of the section's table; numbers without trailing zeros; then two fields alone."""
    adapter = flowxo(simulator)
    await adapter.announce(NOTICE)
    await adapter.announce(attrs.evolve(NOTICE, customer_name=None, customer_phone=None))
    await adapter.follow_up(4711, BotStatus.FAILED)
    first, anonymous, end = simulator.notices
    assert first == {
        "directive_id": 4711,
        "directive_status": "PENDING",
        "grid_name": "Umuoke",
        "customer_name": "Customer 1",
        "customer_phone": "2348031234567",
        "meter_external_reference": "47001771477",
        "token": "12345678901234567890",
        "kwh": Decimal("12.3"),
        "amount": 5000,
        "response_path": "https://bot.example.org/topups/c/umuoke-flow",
    }
    assert [str(first["kwh"]), str(first["amount"])] == ["12.3", "5000"]
    assert (anonymous["customer_name"], anonymous["customer_phone"]) == (None, NO_PHONE)
    assert NO_PHONE == "Phone number not available"
    assert end == {"directive_id": 4711, "directive_status": "FAILED"}
    await adapter.close()


@pytest.mark.parametrize("faults", [{"error_rate": 1}, {"latency_ms": [1500, 1500]}, {"down": True}])
async def test_no_error_shows_a_token(simulator: FlowXo, faults: Mapping[str, Any]) -> None:
    """[AUTO-166] Nor a phone, nor the address that is a credential by itself."""
    adapter = flowxo(simulator)
    simulator.control.update(faults)
    with pytest.raises(UpstreamFailed) as failed:
        await adapter.announce(NOTICE)
    told = f"{failed.value}{NOTICE!r}{adapter._settings!r}"
    assert not [secret for secret in (NOTICE.token, "2348031234567", simulator.endpoint) if secret in told]
    await adapter.close()


async def test_a_renewed_hook(simulator: FlowXo) -> None:
    adapter = flowxo(simulator, endpoint="/hooks/a/old")
    with pytest.raises(UpstreamFailed, match="HTTP 404") as refused:
        await adapter.follow_up(4711, BotStatus.SUCCESSFUL)
    assert refused.value.code == "BOT_REFUSED"
    await adapter.close()


def test_settings_are_checked_when_made() -> None:
    with pytest.raises(InvalidInput, match="FLOW_XO_API"):
        FlowXoSettings(host="flowxo.example", endpoint="/x", response_path="/y")
