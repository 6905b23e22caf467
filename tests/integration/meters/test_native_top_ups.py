"""Top-ups whose tokens are made here from the meters' keys: memory and PostgreSQL [STS-2, R1, R2, R22]."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from tests.support.meters_world import RADIO, MetersWorld
from tests.support.top_ups import Desk

from nxt_domain.meters.model import Interaction, InteractionStatus, Resolution
from nxt_domain.shared.secrets import SecretLost
from nxt_domain.tokens.native import NativeTokenMaker
from nxt_domain.tokens.rules import minute_of
from nxt_domain.tokens.sts import DecodedToken, DecoderKey, TimedToken, UnreadableToken, decode

KEY, OTHER_KEY = "0123456789ABCDEF", "FEDCBA9876543210"


@pytest.fixture
async def desk(world: MetersWorld) -> Desk:
    await world.give_key(world.meter_ids[0], KEY)
    await world.give_key(world.meter_ids[1], OTHER_KEY)
    return Desk(world, {RADIO: NativeTokenMaker()})


def read(top_up: Interaction, key: str = KEY) -> tuple[TimedToken, DecodedToken]:
    decoded = decode(top_up.token or "", DecoderKey.parse(key))
    assert isinstance(decoded.token, TimedToken)
    return decoded.token, decoded


async def test_r1_the_token_is_part_of_the_settlement(desk: Desk) -> None:
    """Made from the meter's key, with the minute and nonce that are on record."""
    top_up = await desk.buy(kwh="12.5")
    token, decoded = read(top_up)
    assert token.amount == Decimal("12.5")
    assert decoded.issued_at == minute_of(top_up.token_issued_at or desk.world.clock.now())
    assert [waiting for waiting, _ in await desk.waiting_messages()] == [str(top_up.id)]
    assert [digits for _, _, digits in await desk.world.tokens()] == [top_up.token]
    assert not await desk.has_open_task(top_up.order_id or 0)


async def test_rel_164_no_two_tokens_of_a_meter_share_a_minute(desk: Desk) -> None:
    """[STS-61] Many purchases at once, of two meters: distinct identifiers, each readable by its meter alone."""
    first, second, _ = desk.world.meter_ids
    orders = await desk.settle(*[(first, "1")] * 20, *[(second, "1")] * 20)
    mine = [read(await desk.of_order(order_id))[0] for order_id in orders[:20]]
    others = [await desk.of_order(order_id) for order_id in orders[20:]]
    assert len({token.tid for token in mine}) == 20
    assert len({read(each, OTHER_KEY)[0].tid for each in others}) == 20
    unreadable = 0
    for each in others:
        try:
            read(each)
        except UnreadableToken:
            unreadable += 1
    assert unreadable >= 19


async def test_sts_6_without_a_key_the_payment_settles_and_the_task_gives_up(desk: Desk) -> None:
    """[R2, STS-6] A permanent refusal: FAILED with an alert, nothing sent."""
    top_up = await desk.buy(desk.world.meter_ids[2])
    assert (top_up.status, top_up.token) == (InteractionStatus.QUEUED, None)
    await desk.complete(top_up.order_id or 0)
    after = await desk.of_order(top_up.order_id or 0)
    assert (after.status, after.resolution) == (InteractionStatus.FAILED, Resolution.TOKEN_FAILED)
    assert "TOKEN_FAILED" in await desk.alerts()
    assert await desk.waiting_messages() == []


async def test_an_allocated_minute_is_never_given_back(desk: Desk) -> None:
    """[STS-64] Also when the token could not be made."""
    meter_id = desk.world.meter_ids[2]
    failed = await desk.buy(meter_id)
    await desk.complete(failed.order_id or 0)
    await desk.world.give_key(meter_id, KEY)
    second = await desk.buy(meter_id)
    assert second.token is not None
    first_at, second_at = failed.token_issued_at, second.token_issued_at
    assert first_at is not None
    assert second_at is not None
    assert minute_of(second_at) > minute_of(first_at)


async def test_r22_a_key_that_comes_later_makes_the_reserved_token(desk: Desk) -> None:
    """Minute and nonce stay those of the settlement."""
    meter_id = desk.world.meter_ids[2]
    top_up = await desk.buy(meter_id)
    await desk.world.give_key(meter_id, KEY)
    await desk.complete(top_up.order_id or 0)
    after = await desk.of_order(top_up.order_id or 0)
    assert read(after)[1].issued_at == minute_of(top_up.token_issued_at or desk.world.clock.now())
    assert len(await desk.waiting_messages()) == 1


async def test_r2_a_lost_data_key_holds_up_no_payment_and_fails_no_top_up(desk: Desk) -> None:
    """[R59] The order settles; its task waits until the data key is back."""
    meter_id = desk.world.meter_ids[2]
    await desk.world.lose_key(meter_id)
    top_up = await desk.buy(meter_id)
    assert (top_up.status, top_up.token) == (InteractionStatus.QUEUED, None)
    with pytest.raises(SecretLost):
        await desk.complete(top_up.order_id or 0)
    assert (await desk.of_order(top_up.order_id or 0)).status is InteractionStatus.QUEUED
    await desk.world.give_key(meter_id, KEY)
    await desk.complete(top_up.order_id or 0)
    assert read(await desk.of_order(top_up.order_id or 0))


async def test_sts_63_an_hour_ahead_of_the_clock_is_an_alert(desk: Desk) -> None:
    now = desk.world.clock.now()
    await desk.world.set_meter(desk.world.meter_ids[0], last_sts_token_issued_at=now + timedelta(minutes=90))
    top_up = await desk.buy()
    assert top_up.token is not None
    assert await desk.alerts() == ["TOKENS_AHEAD_OF_CLOCK"]


async def test_sts_63_a_day_ahead_of_the_clock_is_refused(desk: Desk) -> None:
    """The payment settles; the top-up fails with an alert."""
    now = desk.world.clock.now()
    await desk.world.set_meter(desk.world.meter_ids[0], last_sts_token_issued_at=now + timedelta(hours=25))
    top_up = await desk.buy()
    assert top_up.token is None
    await desk.complete(top_up.order_id or 0)
    after = await desk.of_order(top_up.order_id or 0)
    assert after.resolution is Resolution.TOKEN_FAILED
    assert "more tokens" in (after.delivery_failures[0].reason or "")


async def test_sts_7_no_key_reaches_a_row(desk: Desk) -> None:
    await desk.buy()
    await desk.buy(desk.world.meter_ids[2])
    assert KEY not in str(await desk.world.tasks())
    assert KEY not in str(await desk.world.interactions())
    assert KEY not in str(await desk.world.messages())
