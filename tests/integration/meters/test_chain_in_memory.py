"""The whole chain without any server, as a notebook would run it: order, settlement, token, command, answer, SMS."""

from __future__ import annotations

from decimal import Decimal

from tests.support.chain_village import AGENT, MAKERS, METER, SYSTEM, Village

from nxt_adapters.memory.sms import MemorySms
from nxt_adapters.memory.unit_of_work import MemoryUnitOfWork
from nxt_domain.meters.model import InteractionStatus, InteractionType
from nxt_domain.meters.use_cases.apply_delivery_events import ApplyDeliveryEvents
from nxt_domain.meters.use_cases.complete_top_up import CompleteTopUp
from nxt_domain.notifications.dispatch import DispatchSms
from nxt_domain.orders.states import OrderStatus
from nxt_domain.orders.use_cases.fulfil_top_up import FulfilTopUp
from nxt_domain.wallets.accounts import wallet_account


async def test_pay_113_from_a_paid_order_to_the_credit_on_the_meter() -> None:
    village = Village()
    plane = village.plane
    order = await village.buy()
    report = await village.settle()
    assert list(report.completed) == [order.id]

    tx = plane.begin()
    (top_up,) = tx.interactions.all()
    assert (top_up.energy_kwh, top_up.order_id, top_up.status) == (Decimal(4), order.id, InteractionStatus.QUEUED)
    (row,) = plane.database.table("device_messages").values()
    assert row.message.request_data.token == top_up.token
    assert tx.ledger.balance(wallet_account(AGENT)) == Decimal(4000)
    assert tx.outbox.all("TOP_UP_COMMAND") == []

    apply = ApplyDeliveryEvents(begin=plane.begin, clock=plane.clock, wakeups=plane.wakeups)
    await apply([village.answer(top_up.id, tokenAccepted=True)])
    (follow_up,) = [one for one in tx.interactions.all() if one.type is InteractionType.READ_CREDIT]
    await apply([village.answer(follow_up.id, kwhCreditAvailable=Decimal("6.5"), isOn=True)])
    assert tx.meters.reported(METER).balance == Decimal("1625.00")

    sms = MemorySms()
    await DispatchSms(queue=plane.notification_queue, sms=sms)()
    assert sorted(message.to_phone for _, message in sms.sent) == ["+2348030000041", "+2348030000042"]
    assert all(top_up.token not in message.text for _, message in sms.sent if top_up.token)


async def test_pay_104_money_from_the_gateway_waits_for_a_tariff() -> None:
    """[R1] Settled all the same; the task prices it when there is a tariff, and then the command goes out."""
    village = Village()
    plane = village.plane
    order = await village.buy(sender=SYSTEM)
    village.set_tariff("0")
    assert (await village.settle()).completed == [order.id]
    tx = plane.begin()
    assert tx.interactions.all() == []
    (task,) = tx.outbox.all("TOP_UP_COMMAND")
    village.set_tariff("500")
    complete = CompleteTopUp(begin=plane.begin, clock=plane.clock, makers=MAKERS, wakeups=plane.wakeups)
    fulfil: FulfilTopUp[MemoryUnitOfWork] = FulfilTopUp(
        begin=plane.begin, top_ups=village.top_ups, complete=complete, clock=plane.clock
    )
    for _ in range(2):
        await fulfil(task.order_id or 0)
    (top_up,) = tx.interactions.all()
    assert top_up.energy_kwh == Decimal(2)
    assert len(plane.database.table("device_messages")) == 1
    async with plane.begin() as check:
        found = await check.orders.find(order_id=order.id)
    assert found is not None
    assert found.status is OrderStatus.COMPLETED
