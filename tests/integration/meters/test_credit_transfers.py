"""Credit moves from one meter to another, step by step, on both stores (PAY 13.2)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from tests.support.meters_world import MetersWorld
from tests.support.transfer_world import HELD, TransferWorld

from nxt_domain.messaging.model import CommandType, DeliveryStatus
from nxt_domain.meters.model import InteractionStatus, InteractionType
from nxt_domain.orders.credit_transfers import TransferStatus
from nxt_domain.orders.states import FailureCode, OrderStatus
from nxt_domain.orders.use_cases.transfer_credit import WantedTransfer
from nxt_domain.shared.errors import Conflict, InvalidInput, NotAcceptable, NotFound, Unprocessable
from nxt_domain.shared.money import Currency

T = InteractionType
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def transfers(world: MetersWorld) -> TransferWorld:
    made = TransferWorld(world)
    await made.prepare()
    return made


async def up_to_the_clearing(transfers: TransferWorld, credit: str = "5.3") -> None:
    await transfers.advance()
    await transfers.done(T.TURN_OFF)
    await transfers.advance()
    await transfers.done(T.READ_CREDIT, kwhCreditAvailable=Decimal(credit), isOn=False)
    await transfers.advance()


async def test_credit_moves_step_by_step(transfers: TransferWorld) -> None:
    """[PAY-140] [PAY-141] The example: 5.3 kWh are there, 600 NGN at 250 are 2.4 kWh, so 2.9 kWh go back."""
    transfer = await transfers.move("600")
    assert (transfer.status, transfer.author_id is not None) == (TransferStatus.PENDING, True)
    order = await transfers.order(transfer)
    assert (order.status, order.amount) == (OrderStatus.INITIALISED, 600)
    assert await transfers.in_manual_mode() == [False] * 3

    await transfers.advance()
    assert (await transfers.transfer(transfer.id)).status is TransferStatus.PROCESSING
    assert await transfers.in_manual_mode() == [True, True, False]
    assert await transfers.advance() == 0  # nothing more, until the meter answers
    assert [one.type for one in await transfers.village.interactions()] == [T.TURN_OFF]

    await transfers.done(T.TURN_OFF)
    await transfers.advance()
    await transfers.done(T.READ_CREDIT, kwhCreditAvailable=Decimal("5.3"), isOn=False)
    await transfers.advance()
    known = await transfers.transfer(transfer.id)
    assert (known.energy_kwh, known.give_back_kwh, known.sender_meter_set_to_amount) == (
        Decimal("2.4"),
        Decimal("2.9"),
        Decimal(725),
    )
    assert (await transfers.order(transfer)).status is OrderStatus.INITIALISED
    await transfers.done(T.CLEAR_CREDIT)
    await transfers.advance()
    assert (await transfers.order(transfer)).status is OrderStatus.COMPLETED
    assert await transfers.balances() == [HELD - 600, HELD + 600, HELD]
    back, over = await transfers.last(T.TOP_UP), await transfers.last(T.TOP_UP, transfers.receiver)
    assert (back.energy_kwh, back.order_id) == (Decimal("2.9"), None)
    assert (over.energy_kwh, over.order_id) == (Decimal("2.4"), transfer.order_id)

    await transfers.done(T.TOP_UP)
    await transfers.advance()
    assert await transfers.village.of_type(T.TURN_ON) == []  # the receiver has not got its energy yet
    await transfers.done(T.TOP_UP, transfers.receiver)
    await transfers.advance()
    await transfers.done(T.TURN_ON)
    await transfers.advance()
    ended = await transfers.transfer(transfer.id)
    assert (ended.status, ended.finished_at is not None) == (TransferStatus.SUCCESSFUL, True)
    assert await transfers.in_manual_mode() == [False] * 3


async def test_all_that_is_there_may_move(transfers: TransferWorld) -> None:
    """[PAY-141] Step 4 is left out when nothing goes back."""
    transfer = await transfers.move("600")
    await up_to_the_clearing(transfers, "2.4")
    await transfers.done(T.CLEAR_CREDIT)
    await transfers.advance()
    top_ups = await transfers.village.of_type(T.TOP_UP)
    assert [one.order_id for one in top_ups] == [transfer.order_id]


async def test_too_little_credit(transfers: TransferWorld) -> None:
    """[PAY-141] Both end FAILED, nothing is cleared, and the sender is turned on again."""
    transfer = await transfers.move("600")
    await up_to_the_clearing(transfers, "2.3")
    order = await transfers.order(transfer)
    assert (order.status, order.failure_code) == (OrderStatus.FAILED, FailureCode.INSUFFICIENT_BALANCE)
    assert (await transfers.transfer(transfer.id)).status is TransferStatus.FAILED
    await transfers.advance()
    await transfers.done(T.TURN_ON)
    await transfers.advance()
    assert await transfers.village.of_type(T.CLEAR_CREDIT) == []
    assert (await transfers.transfer(transfer.id)).finished_at is not None
    assert await transfers.in_manual_mode() == [False] * 3
    assert await transfers.balances() == [HELD] * 3


async def test_too_little_money(transfers: TransferWorld) -> None:
    """[PAY-142] The sending meter's wallet has to hold the amount, before anything is cleared."""
    transfer = await transfers.move(str(HELD + 1))
    await up_to_the_clearing(transfers, "50")
    assert (await transfers.order(transfer)).failure_code == FailureCode.INSUFFICIENT_BALANCE
    assert await transfers.village.of_type(T.CLEAR_CREDIT) == []


async def test_a_meter_that_refuses_to_be_turned_off(transfers: TransferWorld) -> None:
    """[PAY-141] Before anything was cleared, a failure is the end of it."""
    transfer = await transfers.move()
    await transfers.advance()
    await transfers.refused(T.TURN_OFF)
    await transfers.advance()
    order = await transfers.order(transfer)
    assert (order.status, order.failure_code) == (OrderStatus.FAILED, FailureCode.METER_FAILED)
    await transfers.advance()
    assert (await transfers.last(T.TURN_ON)).status is InteractionStatus.QUEUED


async def test_energy_that_is_owed_is_told_about(transfers: TransferWorld) -> None:
    """[PAY-141] After the clearing a failure leaves the transfer PROCESSING, with one alert; a late success goes on."""
    transfer = await transfers.move()
    await up_to_the_clearing(transfers)
    await transfers.done(T.CLEAR_CREDIT)
    await transfers.advance()
    back = await transfers.last(T.TOP_UP)
    failed = transfers.village.undelivered(back.id, last=DeliveryStatus.QUEUED)
    await transfers.apply([failed])
    await transfers.done(T.TOP_UP, transfers.receiver)
    for _ in range(3):
        transfers.village.clock.advance(MINUTE)
        await transfers.advance()
    alerts = [task for task in await transfers.village.tasks("ALERT") if "CREDIT_TRANSFER" in task.dedupe_key]
    assert len(alerts) == 1
    stuck = await transfers.transfer(transfer.id)
    assert (stuck.status, stuck.finished_at) == (TransferStatus.PROCESSING, None)
    assert await transfers.in_manual_mode() == [True, True, False]

    await transfers.apply([transfers.village.succeeded(back.id, command=CommandType.TOP_UP_KWH)])
    transfers.village.clock.advance(MINUTE)
    await transfers.advance()
    await transfers.done(T.TURN_ON)
    await transfers.advance()
    assert (await transfers.transfer(transfer.id)).status is TransferStatus.SUCCESSFUL


async def test_two_processes_advance_it_once(transfers: TransferWorld) -> None:
    """[PAY-141] [PAY-125] At the same time, and again and again: no step is taken twice."""
    await transfers.move()
    await up_to_the_clearing(transfers)
    await transfers.done(T.CLEAR_CREDIT)
    transfers.village.clock.advance(MINUTE)
    await asyncio.gather(*(transfers.advance_once() for _ in range(4)))
    for _ in range(3):
        await transfers.advance()
    assert len(await transfers.village.of_type(T.CLEAR_CREDIT)) == 1
    assert len(await transfers.village.of_type(T.TOP_UP)) == 2


async def test_one_transfer_at_a_time(transfers: TransferWorld) -> None:
    """[PAY-140] A meter takes part in one transfer, on whichever side; also when two are asked for at once."""
    first, second = await asyncio.gather(transfers.move(), transfers.move(), return_exceptions=True)
    refused = [one for one in (first, second) if isinstance(one, Conflict)]
    assert len(refused) == 1
    with pytest.raises(Conflict, match="goes on"):
        await transfers.move(sender_meter_id=transfers.third)


async def test_bad_input(transfers: TransferWorld) -> None:
    """[PAY-140] 400, 404, 406, 422; nothing is stored."""
    with pytest.raises(InvalidInput):
        await transfers.move("0.5")
    with pytest.raises(NotAcceptable):
        await transfers.move(receiver_meter_id=transfers.sender)
    with pytest.raises(NotFound, match="Could not find meter with id 999999"):
        await transfers.move(receiver_meter_id=999_999)
    with pytest.raises(Unprocessable):
        await transfers.move("9999999.99")  # more energy than anybody buys
    assert await transfers.village.interactions() == []
    assert await transfers.advance() == 0


async def test_another_organizations_meters_are_unknown(transfers: TransferWorld) -> None:
    """[PAY-140] R39 The platform's members see all meters, others their own."""
    wanted = (await transfers.move()).id
    assert wanted
    stranger = transfers.member(77)
    asked = WantedTransfer(
        sender_meter_id=transfers.third,
        receiver_meter_id=transfers.receiver,
        amount=Decimal(100),
        currency=Currency.NGN,
    )
    with pytest.raises(NotFound, match="Could not find meter"):
        await transfers.ask(stranger, asked)
    with pytest.raises(Conflict):  # it is seen, and busy
        await transfers.ask(transfers.member(is_platform=True), asked)
