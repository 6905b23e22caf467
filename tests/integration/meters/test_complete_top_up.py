"""The task that gives a paid top-up its token and message: crashes, refusals, unknown outcomes, fences."""

from __future__ import annotations

import attrs
import pytest
from tests.support.meters_world import RADIO, MetersWorld
from tests.support.top_ups import Desk, FarVendor, clear_credit, far, raising

from nxt_domain.messaging.model import DeliveryStatus
from nxt_domain.meters.model import InteractionStatus, Resolution
from nxt_domain.shared.errors import NotFound, Unavailable
from nxt_domain.shared.wakeups import Channel
from nxt_domain.tokens.ports import TokenBadAnswer, TokenOutcomeUnknown, TokenRefused, TokenVendorUnavailable
from nxt_domain.tokens.rules import minute_of

QUEUED, SUSPENDED, FAILED = InteractionStatus.QUEUED, InteractionStatus.SUSPENDED, InteractionStatus.FAILED


async def test_r1_the_task_makes_the_token_and_hands_the_command_over(world: MetersWorld) -> None:
    """[R22] The token carries the minute and nonce that were reserved with the payment."""
    vendor = FarVendor()
    desk = Desk(world, far(vendor))
    top_up = await desk.buy()
    await desk.complete(top_up.order_id or 0)
    done = await desk.of_order(top_up.order_id or 0)
    (request,) = vendor.requests
    assert request.issued_at == top_up.token_issued_at == done.token_issued_at
    assert done.token == vendor.answer(request)
    assert await world.tokens() == [(world.meter_ids[0], minute_of(request.issued_at), done.token)]
    assert await desk.waiting_messages() == [(str(top_up.id), 50.0)]
    assert Channel.MESSAGING in world.wakeups.hinted


async def test_pay_121_a_repeat_does_nothing(world: MetersWorld) -> None:
    vendor = FarVendor()
    desk = Desk(world, far(vendor))
    top_up = await desk.buy()
    for _ in range(3):
        await desk.complete(top_up.order_id or 0)
    assert len(vendor.requests) == 1
    assert len(await world.messages()) == 1


async def test_pay_127_a_crash_after_making_yields_the_same_token(world: MetersWorld) -> None:
    """[R22] Reserved minute and nonce are used again, so a deterministic vendor gives the same digits."""
    vendor = FarVendor()
    desk = Desk(world, far(vendor))
    top_up = await desk.buy()
    made = vendor.answer
    vendor.answer = raising(KeyboardInterrupt())  # type: ignore[arg-type]  # the process dies after the vendor's work
    with pytest.raises(KeyboardInterrupt):
        await desk.complete(top_up.order_id or 0)
    vendor.answer = made
    await desk.complete(top_up.order_id or 0)
    assert attrs.asdict(vendor.requests[0]) == attrs.asdict(vendor.requests[1])
    assert len(await world.tokens()) == 1
    assert len(await world.messages()) == 1


async def test_r2_a_vendor_that_is_down_keeps_the_top_up_waiting(world: MetersWorld) -> None:
    vendor = FarVendor()
    vendor.answer = raising(Unavailable("vendor is down"))
    desk = Desk(world, far(vendor))
    top_up = await desk.buy()
    with pytest.raises(Unavailable):
        await desk.complete(top_up.order_id or 0)
    assert (await world.interaction(top_up.id)).status is QUEUED
    assert await world.messages() == []


async def test_sts_70_a_wrong_token_is_an_alert_and_worth_another_try(world: MetersWorld) -> None:
    """[STS-4] The vendor's failure is the caller's to decide; the top-up waits."""
    vendor = FarVendor()
    vendor.answer = raising(TokenBadAnswer("it says something else than the order"))
    desk = Desk(world, far(vendor))
    top_up = await desk.buy()
    with pytest.raises(TokenVendorUnavailable):
        await desk.complete(top_up.order_id or 0)
    assert (await world.interaction(top_up.id)).status is QUEUED
    assert await desk.alerts() == ["TOKEN_VENDOR_BAD_ANSWER"]


@pytest.mark.parametrize(
    ("error", "details"),
    [(TokenRefused("no key"), None), (TokenOutcomeUnknown("no answer"), "outcome unknown")],
    ids=["refused", "unknown"],
)
async def test_r2_only_a_refusal_or_an_unknown_outcome_ends_it(
    world: MetersWorld, error: Exception, details: str | None
) -> None:
    """[MET-58] [MET-75] With a final record, and an alert; the order is not touched."""
    vendor = FarVendor()
    vendor.answer = raising(error)
    desk = Desk(world, far(vendor))
    top_up = await desk.buy()
    await desk.complete(top_up.order_id or 0)
    failed = await world.interaction(top_up.id)
    assert (failed.status, failed.resolution, failed.token) == (FAILED, Resolution.TOKEN_FAILED, None)
    record = failed.delivery_failures[0]
    assert (record.status, record.code, record.details, record.is_final) == ("QUEUED", "TOKEN_FAILED", details, True)
    assert record.reason.startswith("Failed to generate token because ")
    assert await desk.alerts() == ["TOKEN_FAILED"]
    assert (await desk.news_of(top_up.id))[-1] == ("UPDATE", "FAILED")
    assert await world.messages() == []


async def test_pay_115_a_sale_that_may_be_booked_is_never_asked_for_again(world: MetersWorld) -> None:
    """The task may be repeated after its end was stored and before it was marked done."""
    vendor = FarVendor()
    vendor.answer = raising(TokenOutcomeUnknown("no answer"))
    desk = Desk(world, far(vendor))
    top_up = await desk.buy()
    for _ in range(3):
        await desk.complete(top_up.order_id or 0)
    assert len(vendor.requests) == 1
    assert await desk.alerts() == ["TOKEN_FAILED"]


async def test_met_58_a_suspended_top_up_can_not_fail_before_its_release(world: MetersWorld) -> None:
    """The record is not final, the vendor is not asked again, and the task goes on until the top-up may fail."""
    await world.set_power(is_hps_on=False)
    vendor = FarVendor()
    vendor.answer = raising(TokenOutcomeUnknown("no answer"))
    desk = Desk(world, far(vendor))
    top_up = await desk.buy()
    for _ in range(2):
        with pytest.raises(Unavailable):
            await desk.complete(top_up.order_id or 0)
    waiting = await world.interaction(top_up.id)
    assert waiting.status is SUSPENDED
    assert [record.code for record in waiting.delivery_failures] == ["TOKEN_FAILED", "GRID_DOWN"]
    assert not waiting.delivery_failures[0].is_final
    await world.set_power(is_hps_on=True)
    await desk.release()
    assert (await world.interaction(top_up.id)).status is QUEUED
    await desk.complete(top_up.order_id or 0)
    failed = await world.interaction(top_up.id)
    assert (failed.status, failed.resolution) == (FAILED, Resolution.TOKEN_FAILED)
    assert len(vendor.requests) == 1


async def test_a_suspended_top_up_gets_its_token_and_waits(world: MetersWorld) -> None:
    """[MET-73] The token is there for the customer; the release hands it over."""
    await world.set_power(is_hps_on=False)
    desk = Desk(world, far(FarVendor()))
    top_up = await desk.buy()
    await desk.complete(top_up.order_id or 0)
    assert (await world.interaction(top_up.id)).token is not None
    assert await world.messages() == []
    await world.set_power(is_hps_on=True)
    assert (await desk.release()).queued == 1
    assert await desk.waiting_messages() == [(str(top_up.id), 50.0)]


async def test_a_release_before_the_token_leaves_the_hand_over_to_the_task(world: MetersWorld) -> None:
    """[MET-80] No interaction stays ``QUEUED`` without message or task."""
    await world.set_power(is_hps_on=False)
    desk = Desk(world, far(FarVendor()))
    top_up = await desk.buy()
    await world.set_power(is_hps_on=True)
    await desk.release()
    assert (await world.interaction(top_up.id)).status is QUEUED
    assert await world.messages() == []
    await desk.complete(top_up.order_id or 0)
    assert await desk.waiting_messages() == [(str(top_up.id), 50.0)]


async def test_pay_117_an_aborted_top_up_still_gets_a_token_for_manual_entry(world: MetersWorld) -> None:
    await world.set_meter(world.meter_ids[0], last_seen_at=None)
    desk = Desk(world, far(FarVendor()))
    top_up = await desk.buy()
    await desk.complete(top_up.order_id or 0)
    aborted = await world.interaction(top_up.id)
    assert aborted.status is InteractionStatus.ABORTED
    assert aborted.token is not None
    assert await world.messages() == []


async def test_met_117_a_fence_holds_the_hand_over_until_the_clear_credit_ends(world: MetersWorld) -> None:
    """[MET-117] The token is generated and shown meanwhile; a failed clear releases the fence."""
    desk = Desk(world)
    (clear,) = await world.add(clear_credit(world.meter_ids[0]))
    top_up = await desk.buy()
    with pytest.raises(Unavailable) as caught:
        await desk.complete(top_up.order_id or 0)
    assert caught.value.code == "FENCED"
    assert (await world.interaction(top_up.id)).token is not None
    assert await world.messages() == []
    await world.save(clear.moved_to(FAILED))
    await desk.complete(top_up.order_id or 0)
    assert await desk.waiting_messages() == [(str(top_up.id), 50.0)]


async def test_met_117_a_younger_clear_credit_is_no_fence(world: MetersWorld) -> None:
    """The order of the commands is preserved: top up first, clear afterwards."""
    desk = Desk(world, far(FarVendor()))
    top_up = await desk.buy()
    await world.add(clear_credit(world.meter_ids[0]))
    await desk.complete(top_up.order_id or 0)
    assert await desk.waiting_messages() == [(str(top_up.id), 50.0)]


async def test_a_top_up_that_ended_meanwhile_is_left_alone(world: MetersWorld) -> None:
    desk = Desk(world)
    top_up = await desk.buy()
    await desk.apply(world.succeeded(top_up.id))
    before = await world.interaction(top_up.id)
    await desk.complete(top_up.order_id or 0)
    assert await world.interaction(top_up.id) == before


async def test_pay_115_the_first_stored_token_wins(world: MetersWorld) -> None:
    """Two processes at work on one order hand out one token."""
    vendor = FarVendor()
    desk = Desk(world, far(vendor))
    top_up = await desk.buy()
    order_id = top_up.order_id or 0
    other = Desk(world, far(FarVendor()))

    tokens = iter(["11112222333344445555"])

    class Slow(FarVendor):
        async def request(self, request: object) -> str:
            del request
            await other.complete(order_id)  # someone else is faster
            return next(tokens)

    await Desk(world, far(Slow())).complete(order_id)
    done = await world.interaction(top_up.id)
    assert done.token is not None
    assert done.token != "11112222333344445555"
    (message,) = await world.messages()
    assert message.request_data is not None
    assert message.request_data.token == done.token == (await world.tokens())[0][2]


async def test_no_vendor_for_a_protocol_is_a_refusal(world: MetersWorld) -> None:
    desk = Desk(world, {})
    top_up = await desk.buy()
    await desk.complete(top_up.order_id or 0)
    assert (await world.interaction(top_up.id)).resolution is Resolution.TOKEN_FAILED


async def test_an_order_without_command_is_told_so(world: MetersWorld) -> None:
    with pytest.raises(NotFound) as caught:
        await Desk(world).complete(await world.new_order(world.meter_ids[0]))
    assert caught.value.code == "NO_INTERACTION"


async def test_met_12_a_meter_that_is_gone_is_told_so(world: MetersWorld) -> None:
    desk = Desk(world, {RADIO: FarVendor()})
    top_up = await desk.buy()
    await world.set_meter(world.meter_ids[0], is_deleted=True)
    with pytest.raises(NotFound) as caught:
        await desk.complete(top_up.order_id or 0)
    assert caught.value.code == "NO_METER"


async def test_a_processing_top_up_is_not_handed_over_again(world: MetersWorld) -> None:
    desk = Desk(world)
    top_up = await desk.buy()
    await desk.apply(world.handed_on(top_up.id))
    await desk.complete(top_up.order_id or 0)
    assert (await world.interaction(top_up.id)).status is InteractionStatus.PROCESSING
    assert len(await world.messages()) == 1
    assert (await world.messages())[0].delivery_status is DeliveryStatus.QUEUED
