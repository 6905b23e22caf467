"""Port ``PullPlugin``: one suite over the fake, and over both of CALIN's services against their simulators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any, Protocol

import attrs
import pytest
from tests.support.calin import METER, message, new, with_date, with_token
from tests.support.calin_clouds import Cloud, cloud

from nxt_adapters.memory.vendor_tasks import MemoryVendorTasks
from nxt_domain.messaging.model import (
    CommandType,
    DeliveryStatus,
    Device,
    DeviceEvent,
    DeviceMessage,
    ExecutionStatus,
    Phase,
    RelayNode,
    RequestData,
    SetTime,
)
from nxt_domain.messaging.ports import PollFailed, PullPlugin, SendFailed
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.secrets import SecretText
from nxt_domain.tokens.model import TokenClass, TokenRequest
from nxt_domain.tokens.native import NativeTokenMaker

C, S = CommandType, DeliveryStatus
SUCCESS, FAILURE = ExecutionStatus.EXECUTION_SUCCESS, ExecutionStatus.EXECUTION_FAILURE
STRANGER = "47300000009"


class Vendor(Protocol):
    """A vendor's cloud under test, with one meter that has 108.8 kWh, and the handles to break it."""

    plugin: PullPlugin

    async def token(self, kwh: Decimal) -> str: ...
    def credited(self) -> Decimal: ...
    def take_down(self) -> None: ...
    def bring_up(self) -> None: ...
    def lose_answers(self) -> None: ...
    def hold_tasks(self) -> None: ...
    def forget_tasks(self) -> None: ...
    def fail_tasks(self) -> None: ...
    def made(self) -> int: ...


class Fake:
    def __init__(self) -> None:
        self.fake = MemoryVendorTasks()
        self.fake.place(METER, credit_kwh=Decimal("108.8"))
        self.plugin: PullPlugin = self.fake

    async def token(self, kwh: Decimal) -> str:
        return self.fake.sell(METER, kwh)

    def credited(self) -> Decimal:
        return self.fake.meters[METER].credit_kwh - Decimal("108.8")

    def take_down(self) -> None:
        self.fake.is_down = True

    def bring_up(self) -> None:
        self.fake.is_down = self.fake.loses_answers = False

    def lose_answers(self) -> None:
        self.fake.loses_answers = True

    def hold_tasks(self) -> None:
        self.fake.holds = True

    def forget_tasks(self) -> None:
        self.fake.forgets = True

    def fail_tasks(self) -> None:
        self.fake.fails = True

    def made(self) -> int:
        return len(self.fake.tasks)


class Simulated:
    def __init__(self, service: Cloud) -> None:
        self.service = service
        self.plugin: PullPlugin = service.plugin

    async def token(self, kwh: Decimal) -> str:
        at = self.service.simulator.world.now()
        return await self.service.vendor.request(
            TokenRequest(token_class=TokenClass.TOP_UP, meter_number=METER, issued_at=at, nonce=1, energy_kwh=kwh)
        )

    def credited(self) -> Decimal:
        return Decimal(self.service.meter()["credited_kwh_total"])

    def take_down(self) -> None:
        self.service.faults(down=True)

    def bring_up(self) -> None:
        self.service.faults(down=False)
        self.service.mood()

    def lose_answers(self) -> None:
        self.service.mood(answers="reset")

    def hold_tasks(self) -> None:
        self.service.mood(tasks="never")

    def forget_tasks(self) -> None:
        self.service.mood(tasks="forgotten")

    def fail_tasks(self) -> None:
        self.service.mood(tasks="failed")

    def made(self) -> int:
        return self.service.count("task")


@pytest.fixture(params=["memory", "v1", "v2"])
async def vendor(request: pytest.FixtureRequest) -> AsyncIterator[Vendor]:
    if request.param == "memory":
        yield Fake()
        return
    async with AsyncExitStack() as stack:
        yield Simulated(await stack.enter_async_context(cloud(request.param)))


async def sent(vendor: Vendor, what: DeviceMessage) -> DeviceMessage:
    number = await vendor.plugin.send(what)
    assert number
    return attrs.evolve(what, delivery_queue_id=number, delivery_status=S.DELIVERED_TO_NS)


async def answered(vendor: Vendor, what: DeviceMessage) -> DeviceEvent:
    event = await vendor.plugin.poll(await sent(vendor, what))
    assert event is not None
    assert not event.unsolicited
    return event


async def failure_of(vendor: Vendor, what: DeviceMessage) -> Any:
    with pytest.raises(SendFailed) as failed:
        await vendor.plugin.send(what)
    return failed.value.failure


def data_of(event: DeviceEvent) -> Any:
    assert event.delivery_status is S.DELIVERY_SUCCESSFUL
    assert event.response is not None
    assert event.response.status is SUCCESS
    return event.response.data


async def test_a_read_is_answered(vendor: Vendor) -> None:
    """[DM-10, DM-51, DM-117, DM-129]"""
    data = data_of(await answered(vendor, message(C.READ_CREDIT)))
    assert data["kwhCreditAvailable"] == Decimal("108.8")
    assert data.get("isOn", True) is True


@pytest.mark.parametrize(
    ("what", "keys"),
    [
        (message(C.READ_VOLTAGE), {"voltage"}),
        (message(C.READ_CURRENT), {"current"}),
        (message(C.READ_POWER), {"power"}),
        (message(C.READ_POWER_LIMIT), {"powerLimit"}),
        (message(C.READ_VERSION), {"version"}),
        (message(C.READ_DATE), {"year", "month", "day"}),
        (message(C.TURN_OFF), {"turnOffAccepted"}),
        (message(C.TURN_ON), {"turnOnAccepted"}),
        (with_date(2026, 8, 5), {"dateAccepted"}),
    ],
    ids=lambda value: value.command_type if isinstance(value, DeviceMessage) else "",
)
async def test_every_command_has_its_answer(vendor: Vendor, what: DeviceMessage, keys: set[str]) -> None:
    """[DM-6, DM-118, DM-130]"""
    assert set(data_of(await answered(vendor, what))) == keys


async def test_a_date_that_was_set_is_read(vendor: Vendor) -> None:
    """[DM-113] In the meter's own calendar."""
    await answered(vendor, with_date(2027, 12, 31))
    assert data_of(await answered(vendor, message(C.READ_DATE))) == {"year": 2027, "month": 12, "day": 31}


async def test_a_token_counts_once(vendor: Vendor) -> None:
    """[DM-133] The meter reads it; a second delivery is refused, for good or as not executed."""
    token = await vendor.token(Decimal("12.5"))
    assert data_of(await answered(vendor, with_token(token=token))) == {"tokenAccepted": True}
    assert vendor.credited() == Decimal("12.5")
    again = with_token(C.DELIVER_PREEXISTING_TOKEN, token)
    try:
        failure = (await answered(vendor, again)).failure
    except SendFailed as refused:
        failure = refused.failure
    assert failure is not None
    assert failure.skip_retry or failure.reason == "Delivery was successful but execution of the command failed"
    assert vendor.credited() == Decimal("12.5")


async def test_a_token_of_another_meter_has_no_effect(vendor: Vendor) -> None:
    """[DM-10] Delivered, not executed: it is no matter of retrying."""
    order = TokenRequest(
        token_class=TokenClass.TOP_UP,
        meter_number=METER,
        issued_at=message().enqueued_at,
        nonce=1,
        energy_kwh=Decimal(5),
        decoder_key=SecretText("FEDCBA9876543210"),
    )
    event = await answered(vendor, with_token(token=NativeTokenMaker().make(order)))
    assert event.delivery_status is S.DELIVERY_SUCCESSFUL
    assert event.response is not None
    assert event.response.status is FAILURE
    assert event.failure is not None
    assert vendor.credited() == 0


async def test_each_message_gets_a_task_of_its_own(vendor: Vendor) -> None:
    """[DM-115, DM-127]"""
    first, second = await sent(vendor, message()), await sent(vendor, message())
    assert first.delivery_queue_id != second.delivery_queue_id
    assert vendor.made() == 2


async def test_a_task_that_is_not_done_has_no_answer_yet(vendor: Vendor) -> None:
    """[DM-48] And asking changes nothing."""
    vendor.hold_tasks()
    waiting = await sent(vendor, message())
    for _ in range(3):
        assert await vendor.plugin.poll(waiting) is None
    assert vendor.made() == 1


async def test_a_task_that_the_vendor_forgot_has_failed(vendor: Vendor) -> None:
    """[DM-117, DM-129] And may be made again."""
    vendor.forget_tasks()
    event = await answered(vendor, message())
    assert event.delivery_status is S.DELIVERY_FAILED
    assert event.failure is not None
    assert event.failure.reason
    assert not event.failure.skip_retry


async def test_a_task_that_failed_is_delivered_and_not_executed(vendor: Vendor) -> None:
    """[DM-10, DM-117, DM-129]"""
    vendor.fail_tasks()
    event = await answered(vendor, message(C.TURN_OFF))
    assert event.delivery_status is S.DELIVERY_SUCCESSFUL
    assert event.response is not None
    assert event.response.status is FAILURE
    assert event.failure is not None
    assert event.failure.reason == "Delivery was successful but execution of the command failed"


async def test_an_outage_fails_the_attempt_and_tells_nothing(vendor: Vendor) -> None:
    """[DM-49, DM-189]"""
    done = await sent(vendor, message())
    vendor.take_down()
    assert not (await failure_of(vendor, message())).skip_retry
    with pytest.raises(PollFailed):
        await vendor.plugin.poll(done)
    vendor.bring_up()
    assert await vendor.plugin.poll(done) is not None
    assert await vendor.plugin.send(message())


async def test_a_lost_answer_is_no_second_task(vendor: Vendor) -> None:
    """[DM-4, DM-111, DM-124] The plug-in repeats nothing that has an effect."""
    vendor.lose_answers()
    assert not (await failure_of(vendor, message(C.TURN_OFF))).skip_retry
    vendor.bring_up()
    assert vendor.made() == 1


async def test_a_meter_that_the_vendor_does_not_know(vendor: Vendor) -> None:
    """[DM-115, DM-127]"""
    failure = await failure_of(vendor, message(device=Device(external_reference=STRANGER)))
    assert "did not schedule task because: " in failure.reason


@pytest.mark.parametrize(
    ("impossible", "reason"),
    [
        (message(C.SET_DATE), "Can't perform a write request without a payload"),
        (with_date(2026, 2, 30), "Invalid payload for setting date"),
        (with_token(token=None), "Can't perform a token delivery without a token"),
        (with_token(token="  "), "Can't perform a token delivery without a token"),
        (message(C.SET_TIME, request_data=RequestData(payload=SetTime(hour=1, minute=1))), "Not implemented"),
    ],
    ids=str,
)
async def test_what_can_not_be_written_fails_for_good(vendor: Vendor, impossible: DeviceMessage, reason: str) -> None:
    """[DM-8, DM-113, DM-114, DM-127]"""
    failure = await failure_of(vendor, impossible)
    assert (failure.reason, failure.skip_retry) == (reason, True)
    assert vendor.made() == 0


async def test_a_dcu_is_one_ready_queue(vendor: Vendor) -> None:
    """[DM-23, DM-24]"""
    plugin = vendor.plugin
    assert plugin.ready_queue(new()) == f"queue:{plugin.plugin_id}:dcu:7"
    zero = new(device=Device(external_reference=METER, relay_node=RelayNode(id=0)))
    assert plugin.ready_queue(zero) == f"queue:{plugin.plugin_id}:dcu:0"
    for nowhere in (None, RelayNode(), RelayNode(external_reference="dcu-1")):
        with pytest.raises(InvalidInput, match=r"^device\.relayNode\.id is required$"):
            plugin.ready_queue(new(device=Device(external_reference=METER, relay_node=nowhere)))


async def test_what_is_supported(vendor: Vendor) -> None:
    """[DM-6] Meters behind DCUs have no clock that is read or set by itself."""
    unsupported = {C.READ_TIME, C.SET_TIME, C.READ_REPORT, C.JOIN_NETWORK}
    assert vendor.plugin.supported_commands == frozenset(C) - unsupported


async def test_a_phase_is_allowed_for(vendor: Vendor) -> None:
    """[DM-9, DM-118]"""
    data = data_of(await answered(vendor, message(C.READ_VOLTAGE, phase=Phase.A)))
    assert data.get("phase", "A") == "A"
