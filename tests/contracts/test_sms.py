"""Port ``Sms``: one suite over the fake, and over Africa's Talking against the simulated gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import pytest
from prometheus_client import CollectorRegistry

from nxt_adapters.africastalking import AfricasTalkingSettings, AfricasTalkingSms
from nxt_adapters.memory.sms import MemorySms
from nxt_adapters.resilience import CallPolicy, OutboundMetrics, RetryPolicy
from nxt_domain.notifications.errors import SmsFateUnknown, SmsNotSent, SmsRefused
from nxt_domain.notifications.model import SmsMessage
from nxt_domain.notifications.ports import Sms
from nxt_entrypoints.simulators.sms.simulator import SmsConfig, SmsGateway

PHONE = "+2348031234567"


class Gateway(Protocol):
    """A gateway under test, with the handles to break it."""

    port: Sms

    def taken(self) -> Sequence[tuple[str, str]]: ...
    def refuse_numbers(self) -> str: ...
    def break_before_taking(self) -> None: ...
    def break_after_taking(self) -> None: ...


class FakeGateway:
    def __init__(self) -> None:
        self.fake = MemorySms()
        self.port: Sms = self.fake

    def taken(self) -> Sequence[tuple[str, str]]:
        return [(message.to_phone, message.text) for _, message in self.fake.sent]

    def refuse_numbers(self) -> str:
        self.fake.refused_phones["+11111111"] = "Sent to 0/1"
        return "+11111111"

    def break_before_taking(self) -> None:
        self.fake.fail_next(SmsNotSent("down"))

    def break_after_taking(self) -> None:
        self.fake.fail_next(SmsFateUnknown("cut"))


class SimulatedGateway:
    """The simulator serves every number that our own check lets through, so it is a wrong key that makes it refuse."""

    def __init__(self, simulator: SmsGateway, adapter: AfricasTalkingSms, key: list[str]) -> None:
        self.simulator = simulator
        self.port: Sms = adapter
        self.key = key

    def taken(self) -> Sequence[tuple[str, str]]:
        return [(message.to, message.text) for message in self.simulator._messages]

    def refuse_numbers(self) -> str:
        self.key[0] = "rotated-away"
        return PHONE

    def break_before_taking(self) -> None:
        self.simulator.control.update({"down": True})

    def break_after_taking(self) -> None:
        self.simulator.control.update({"garbage_rate": 1})


@pytest.fixture(params=["memory", "africastalking"])
async def gateway(request: pytest.FixtureRequest) -> AsyncIterator[Gateway]:
    if request.param == "memory":
        yield FakeGateway()
        return
    simulator = SmsGateway(SmsConfig(api_key="key-1"))
    await simulator.start()
    key = ["key-1"]
    settings = AfricasTalkingSettings(
        username="sandbox", api_key=lambda: key[0], api_url=simulator.http.url, sender_id="VILLAGE"
    )
    retry = RetryPolicy(attempts=2, wait_initial_s=0, wait_max_s=0, jitter_s=0)
    adapter = AfricasTalkingSms(
        settings,
        policy=CallPolicy(timeout_s=1.0, retry=retry),
        metrics=OutboundMetrics(CollectorRegistry()),
    )
    yield SimulatedGateway(simulator, adapter, key)
    await adapter.close()
    await simulator.stop()


async def test_a_taken_message_has_a_reference_of_its_own(gateway: Gateway) -> None:
    """[AUTO-90]"""
    first = await gateway.port.send(SmsMessage(to_phone=PHONE, text="Credit: 12.5 kWh"))
    second = await gateway.port.send(SmsMessage(to_phone=PHONE, text="Credit: 12.5 kWh"))
    assert first.reference
    assert second.reference
    assert first.reference != second.reference
    assert gateway.taken() == [(PHONE, "Credit: 12.5 kWh")] * 2


async def test_a_refusal_is_final_and_says_why(gateway: Gateway) -> None:
    """[AUTO-85] [AUTO-90]"""
    phone = gateway.refuse_numbers()
    with pytest.raises(SmsRefused) as refused:
        await gateway.port.send(SmsMessage(to_phone=phone, text="hello"))
    assert str(refused.value)
    assert gateway.taken() == []


async def test_an_outage_before_taking_means_not_sent(gateway: Gateway) -> None:
    """[AUTO-85]"""
    gateway.break_before_taking()
    with pytest.raises(SmsNotSent):
        await gateway.port.send(SmsMessage(to_phone=PHONE, text="hello"))
    assert gateway.taken() == []


async def test_trouble_after_taking_means_an_unknown_fate_and_no_second_message(gateway: Gateway) -> None:
    """[AUTO-85]"""
    gateway.break_after_taking()
    with pytest.raises(SmsFateUnknown):
        await gateway.port.send(SmsMessage(to_phone=PHONE, text="hello"))
    assert len(gateway.taken()) == 1
