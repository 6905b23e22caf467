"""A top-up refused after a repeat is looked into before it is called failed [R21, MET-122 T5, MET-125]."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.support.meters_world import MetersWorld
from tests.support.top_ups import Desk, clear_credit

from nxt_domain.messaging.model import CommandType, DeliveryStatus
from nxt_domain.meters.model import (
    Interaction,
    InteractionStatus,
    InteractionType,
    NewInteraction,
    Origin,
    Resolution,
    VerificationState,
)

PROCESSING, SUCCESSFUL = InteractionStatus.PROCESSING, InteractionStatus.SUCCESSFUL
FAILED, ABORTED = InteractionStatus.FAILED, InteractionStatus.ABORTED
LOST = [DeliveryStatus.SENT_TO_DEVICE]


async def credit_was(world: MetersWorld, credit: str, *, before: timedelta, **facts: Any) -> Interaction:
    """A read of the credit, some time before now."""
    values: dict[str, Any] = {
        "meter_id": world.meter_ids[0],
        "type": InteractionType.READ_CREDIT,
        "status": SUCCESSFUL,
        "origin": Origin.USER,
        "priority": 10,
        "result": {"kwh_credit_available": Decimal(credit)},
    }
    (stored,) = await world.add(NewInteraction(**(values | facts)))
    await world.age(stored.id, before)
    return await world.interaction(stored.id)


async def unclear_top_up(world: MetersWorld, desk: Desk, kwh: str = "10") -> tuple[Interaction, Interaction]:
    """A top-up that was refused on its second attempt, and the read that looks into it."""
    top_up = await desk.buy(kwh=kwh)
    await desk.apply(world.handed_on(top_up.id))
    await desk.apply(world.refused(top_up.id, after=LOST))
    look = next(read for read in await world.of_type(InteractionType.READ_CREDIT) if read.origin is Origin.VERIFICATION)
    return await world.interaction(top_up.id), look


async def answer(world: MetersWorld, desk: Desk, look: Interaction, credit: str) -> None:
    """Let the meter answer the look a few minutes later."""
    world.clock.advance(timedelta(minutes=6))
    data = {"kwhCreditAvailable": Decimal(credit)}
    await desk.apply(world.succeeded(look.id, data, command=CommandType.READ_CREDIT))


async def test_r21_a_refusal_after_a_repeat_is_looked_into(world: MetersWorld) -> None:
    """[MET-123] The row stays processing; a read of its own, as urgent, lives for two hours."""
    top_up, look = await unclear_top_up(world, Desk(world))
    assert (top_up.status, top_up.resolution) == (PROCESSING, None)
    assert top_up.verification_state is VerificationState.VERIFYING
    assert (look.follow_up_of_id, look.priority) == (top_up.id, 50)
    assert look.expires_at == world.clock.now() + timedelta(hours=2)
    assert ("VERIFYING", "TRIAGE", top_up.id) in await world.history()


async def test_r21_a_refusal_of_the_first_attempt_is_clear(world: MetersWorld) -> None:
    desk = Desk(world)
    top_up = await desk.buy()
    await desk.apply(world.refused(top_up.id))
    failed = await world.interaction(top_up.id)
    assert (failed.status, failed.resolution) == (FAILED, Resolution.REJECTED)
    assert await world.of_type(InteractionType.READ_CREDIT) == []


async def test_met_121_a_command_that_never_left_is_not_looked_into(world: MetersWorld) -> None:
    """[MET-122] T2: the network server refused it, so the meter can't have seen it."""
    desk = Desk(world)
    top_up = await desk.buy()
    await desk.apply(world.undelivered(top_up.id, last=DeliveryStatus.SENT_TO_NS))
    failed = await world.interaction(top_up.id)
    assert (failed.status, failed.resolution) == (FAILED, Resolution.DELIVERY_FAILED)
    assert await world.of_type(InteractionType.READ_CREDIT) == []


async def test_met_122_a_command_transmitted_without_answer_is_looked_into(world: MetersWorld) -> None:
    """T5 for class UNKNOWN."""
    desk = Desk(world)
    top_up = await desk.buy()
    await desk.apply(world.undelivered(top_up.id, last=DeliveryStatus.SENT_TO_DEVICE))
    assert (await world.interaction(top_up.id)).verification_state is VerificationState.VERIFYING


async def test_met_125_a_credit_that_rose_confirms(world: MetersWorld) -> None:
    desk = Desk(world)
    await world.set_meter(world.meter_ids[0], power_limit_w=200)
    await credit_was(world, "2.0", before=timedelta(hours=1))
    top_up, look = await unclear_top_up(world, desk)
    await answer(world, desk, look, "11.9")
    done = await world.interaction(top_up.id)
    assert (done.status, done.resolution) == (SUCCESSFUL, Resolution.VERIFIED)
    assert done.verification_state is VerificationState.CONFIRMED
    assert (await desk.news_of(top_up.id))[-1] == ("UPDATE", "SUCCESSFUL")
    assert ("CONFIRMED", "TRIAGE", top_up.id) in await world.history()
    assert await desk.alerts() == []


async def test_met_125_a_credit_that_did_not_rise_refutes(world: MetersWorld) -> None:
    """[PAY-117, STS-65] The order stays as it is; people hear that the token is still good, and what may be wrong."""
    desk = Desk(world)
    await world.set_meter(world.meter_ids[0], power_limit_w=200)
    await credit_was(world, "2.0", before=timedelta(hours=1))
    top_up, look = await unclear_top_up(world, desk)
    await answer(world, desk, look, "1.9")
    done = await world.interaction(top_up.id)
    assert (done.status, done.resolution) == (FAILED, Resolution.REJECTED)
    assert done.verification_state is VerificationState.REFUTED
    assert done.delivery_failures[0].code == "REFUTED"
    assert done.token is not None
    assert ("REFUTED", "TRIAGE", top_up.id) in await world.history()
    (told,) = await world.tasks("ALERT")
    assert told.payload["code"] == "TOP_UP_FAILED"
    assert "another issuer" in told.payload["text"]


async def test_met_125_without_power_limit_nothing_is_decided(world: MetersWorld) -> None:
    desk = Desk(world)
    await credit_was(world, "2.0", before=timedelta(hours=1))
    top_up, look = await unclear_top_up(world, desk)
    await answer(world, desk, look, "11.9")
    done = await world.interaction(top_up.id)
    assert (done.status, done.verification_state) == (FAILED, VerificationState.INCONCLUSIVE)


async def test_met_125_another_top_up_before_the_token_explains_the_gain(world: MetersWorld) -> None:
    """One that arrived after the baseline, and before this token was issued, is not taken for this one's energy."""
    desk = Desk(world)
    await world.set_meter(world.meter_ids[0], power_limit_w=200)
    await credit_was(world, "2.0", before=timedelta(hours=2))
    earlier = await desk.buy(kwh="10")
    await desk.apply(world.succeeded(earlier.id))
    await world.age(earlier.id, timedelta(hours=1))
    world.clock.advance(timedelta(minutes=2))
    top_up = await desk.buy(kwh="10")
    await desk.apply(world.refused(top_up.id, after=LOST))
    look = (await world.of_type(InteractionType.READ_CREDIT))[-1]
    assert look.origin is Origin.VERIFICATION
    await answer(world, desk, look, "11.9")
    assert (await world.interaction(top_up.id)).verification_state is VerificationState.REFUTED


async def test_met_125_a_minute_that_was_reserved_ahead_is_no_baseline(world: MetersWorld) -> None:
    """[PAY-114] The second of two purchases in a minute carries the next one; its energy may be seen before that."""
    desk = Desk(world)
    await world.set_meter(world.meter_ids[0], power_limit_w=200)
    await credit_was(world, "2.0", before=timedelta(minutes=5))
    earlier = await desk.buy(kwh="10")
    await desk.apply(world.succeeded(earlier.id))
    top_up = await desk.buy(kwh="5")
    assert top_up.token_issued_at is not None
    assert top_up.token_issued_at > world.clock.now()
    await desk.apply(world.handed_on(top_up.id))
    world.clock.advance(timedelta(seconds=5))
    reads = await world.of_type(InteractionType.READ_CREDIT)
    follow_up = next(read for read in reads if read.origin is Origin.FOLLOW_UP)
    seen = {"kwhCreditAvailable": Decimal("17.0")}
    await desk.apply(world.succeeded(follow_up.id, seen, command=CommandType.READ_CREDIT))
    await desk.apply(world.refused(top_up.id, after=LOST))
    look = (await world.of_type(InteractionType.READ_CREDIT))[-1]
    assert look.origin is Origin.VERIFICATION
    await answer(world, desk, look, "16.9")
    assert (await world.interaction(top_up.id)).verification_state is VerificationState.CONFIRMED


async def test_met_125_a_clear_credit_in_between_decides_nothing(world: MetersWorld) -> None:
    desk = Desk(world)
    await world.set_meter(world.meter_ids[0], power_limit_w=200)
    await credit_was(world, "2.0", before=timedelta(hours=1))
    top_up, look = await unclear_top_up(world, desk)
    (clear,) = await world.add(clear_credit(world.meter_ids[0]))
    await desk.apply(world.handed_on(clear.id, command=CommandType.CLEAR_CREDIT))
    await answer(world, desk, look, "1.9")
    assert (await world.interaction(top_up.id)).verification_state is VerificationState.INCONCLUSIVE


async def test_met_123_a_look_that_fails_ends_undecided(world: MetersWorld) -> None:
    desk = Desk(world)
    top_up, look = await unclear_top_up(world, desk)
    await desk.apply(world.undelivered(look.id, last=DeliveryStatus.SENT_TO_DEVICE, command=CommandType.READ_CREDIT))
    done = await world.interaction(top_up.id)
    assert (done.status, done.verification_state) == (FAILED, VerificationState.INCONCLUSIVE)


async def test_met_123_a_look_that_expires_ends_undecided(world: MetersWorld) -> None:
    desk = Desk(world)
    top_up, look = await unclear_top_up(world, desk)
    world.clock.advance(timedelta(hours=2, seconds=1))
    assert await desk.expire() == 1
    assert (await world.interaction(look.id)).resolution is Resolution.EXPIRED
    done = await world.interaction(top_up.id)
    assert (done.status, done.verification_state) == (FAILED, VerificationState.INCONCLUSIVE)
    assert (await desk.news_of(top_up.id))[-1] == ("UPDATE", "FAILED")


async def test_met_123_a_look_that_can_not_even_begin_ends_undecided(world: MetersWorld) -> None:
    """A meter silent for a day is not asked."""
    desk = Desk(world)
    top_up = await desk.buy()
    await desk.apply(world.handed_on(top_up.id))
    await world.set_meter(world.meter_ids[0], last_seen_at=world.clock.now() - timedelta(hours=30))
    await desk.apply(world.refused(top_up.id, after=LOST))
    done = await world.interaction(top_up.id)
    assert (done.status, done.verification_state) == (FAILED, VerificationState.INCONCLUSIVE)


@pytest.mark.parametrize("silence", [timedelta(hours=30), None], ids=["aborted", "expired"])
async def test_met_119_a_suspended_look_that_is_given_up_ends_undecided(
    world: MetersWorld, silence: timedelta | None
) -> None:
    """Else the top-up would be looked into for ever."""
    desk = Desk(world)
    top_up = await desk.buy()
    await desk.apply(world.handed_on(top_up.id))
    await world.set_power(is_hps_on=False)
    await desk.apply(world.refused(top_up.id, after=LOST))
    (look,) = await world.of_type(InteractionType.READ_CREDIT)
    assert look.status is InteractionStatus.SUSPENDED
    await world.set_power(is_hps_on=True)
    if silence is None:
        world.clock.advance(timedelta(hours=3))
    else:
        await world.set_meter(world.meter_ids[0], last_seen_at=world.clock.now() - silence)
    released = await desk.release()
    assert (released.aborted, released.queued) == (1, 0)
    done = await world.interaction(top_up.id)
    assert (done.status, done.verification_state) == (FAILED, VerificationState.INCONCLUSIVE)
    assert (await desk.news_of(top_up.id))[-1] == ("UPDATE", "FAILED")


async def test_met_53_its_own_late_success_ends_the_look(world: MetersWorld) -> None:
    """The read's answer then decides nothing any more."""
    desk = Desk(world)
    await world.set_meter(world.meter_ids[0], power_limit_w=200)
    await credit_was(world, "2.0", before=timedelta(hours=1))
    top_up, look = await unclear_top_up(world, desk)
    await desk.apply(world.succeeded(top_up.id))
    await answer(world, desk, look, "1.9")
    done = await world.interaction(top_up.id)
    assert (done.status, done.resolution) == (SUCCESSFUL, Resolution.DELIVERED)
    assert done.verification_state is VerificationState.CONFIRMED


async def test_a_second_refusal_of_the_same_top_up_is_final(world: MetersWorld) -> None:
    """[MET-122] T5: not verified yet in this attempt."""
    desk = Desk(world)
    top_up, _ = await unclear_top_up(world, desk)
    await desk.apply(world.refused(top_up.id, after=LOST))
    done = await world.interaction(top_up.id)
    assert done.status is FAILED


async def test_reads_that_are_no_numbers_are_no_observations(world: MetersWorld) -> None:
    """Rows taken over from elsewhere may hold anything; one must not block the events of its meter."""
    desk = Desk(world)
    await world.set_meter(world.meter_ids[0], power_limit_w=200)
    await credit_was(world, "2.0", before=timedelta(hours=1))
    odd = {"kwh_credit_available": "unknown"}
    await credit_was(world, "0", before=timedelta(minutes=30), result=odd)
    await credit_was(
        world,
        "0",
        before=timedelta(minutes=20),
        type=InteractionType.READ_REPORT,
        origin=Origin.UNSOLICITED,
        result={"purchase_remain_source_1": Decimal("1.9"), "consumption_source_1": "n/a"},
    )
    top_up, look = await unclear_top_up(world, desk)
    await answer(world, desk, look, "11.7")
    assert (await world.interaction(top_up.id)).verification_state is VerificationState.CONFIRMED


async def test_met_12_a_meter_deleted_during_the_look_blocks_nothing(world: MetersWorld) -> None:
    desk = Desk(world)
    top_up, look = await unclear_top_up(world, desk)
    await world.set_meter(world.meter_ids[0], is_deleted=True)
    world.clock.advance(timedelta(hours=3))
    assert await desk.expire() == 1
    assert (await world.interaction(look.id)).status is ABORTED
    assert (await world.interaction(top_up.id)).status is FAILED
