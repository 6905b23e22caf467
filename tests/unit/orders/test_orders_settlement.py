"""Decisions of settlement, one order at a time (PAY 11)."""

from __future__ import annotations

from decimal import Decimal

import attrs
from tests.unit.orders.orders_samples import NOW, ORDER, TARIFFS

from nxt_domain.grids.tariffs import MeterType
from nxt_domain.orders.model import NO_TARIFF, ActorType
from nxt_domain.orders.notices import Contact
from nxt_domain.orders.settlement import Balances, SettlingOrder, SettlingWallet, SoldMeter, accounts_to_read, settle
from nxt_domain.orders.states import FailureCode, OrderStatus
from nxt_domain.shared.money import Currency

SYSTEM = SettlingWallet(id=968, currency=Currency.NGN, actor=ActorType.BANKING_SYSTEM)
AGENT = SettlingWallet(
    id=17, currency=Currency.NGN, actor=ActorType.AGENT, contact=Contact(account_id=41, phone="2348030000041")
)
METER = SettlingWallet(
    id=230, currency=Currency.NGN, actor=ActorType.METER, contact=Contact(account_id=42, phone="2348030000042")
)
ITEM = SettlingOrder(
    order=attrs.evolve(ORDER, status=OrderStatus.PENDING),
    sender=SYSTEM,
    receiver=METER,
    merchant="platform",
    gateway_tx_id="77",
    meter=SoldMeter(id=80, external_reference="47001771477", meter_type=MeterType.FS, tariffs=TARIFFS),
)


def test_money_from_the_gateway_settles() -> None:
    """[REL-66] [PAY-34] [PAY-109] [PAY-113] entry, tariff, meter's own type, command; no balance is read."""
    done = settle(ITEM, Balances({}), NOW)
    assert done.entry is not None
    assert [(leg.account, leg.amount) for leg in done.entry.postings] == [
        ("wallet:230", 1000),
        ("external:gateway:platform", -1000),
    ]
    assert (done.order.status, done.order.tariff, done.order.tariff_type) == (OrderStatus.COMPLETED, 300, MeterType.FS)
    assert done.top_up is not None
    assert (done.top_up.order_id, done.top_up.meter_id, done.top_up.energy_kwh) == (50, 80, Decimal("3.4"))
    assert accounts_to_read([ITEM]) == ()


def test_orders_without_meter_keep_no_tariff() -> None:
    """[PAY-109] tariff −1, no command, nothing deducted [PAY-110]."""
    done = settle(attrs.evolve(ITEM, meter=None, receiver=AGENT), Balances({}), NOW)
    assert (done.order.tariff, done.order.tariff_type, done.top_up) == (NO_TARIFF, None, None)
    assert [notice.message for notice in done.notices] == ["You received NGN 1000"]


def test_a_credit_transfer_uses_the_tariff_it_was_given() -> None:
    """[REL-71] [PAY-107] the sending meter's prices, the receiving meter's type."""
    assert ITEM.meter is not None
    cheaper = attrs.evolve(ITEM.meter, tariffs=attrs.evolve(TARIFFS, essential_tariff=Decimal(250)))
    done = settle(attrs.evolve(ITEM, meter=cheaper, meter_credit_transfer_id=3), Balances({}), NOW)
    assert done.top_up is not None
    assert done.top_up.energy_kwh == 4
    assert done.entry is not None
    assert done.entry.meter_credit_transfer_id == 3


def test_a_batch_sees_its_own_movements() -> None:
    """[PAY-129] in id order: what one order brings, the next may spend, and no more."""
    funding = attrs.evolve(ITEM, receiver=AGENT, meter=None)
    spending = attrs.evolve(ITEM, sender=AGENT, merchant=None, gateway_tx_id=None)
    balances = Balances({"wallet:17": Decimal(500), "wallet:230": Decimal(0)})
    outcomes = [settle(item, balances, NOW).order.status for item in (spending, funding, spending, spending)]
    assert outcomes == [OrderStatus.FAILED, OrderStatus.COMPLETED, OrderStatus.COMPLETED, OrderStatus.FAILED]
    assert accounts_to_read([funding, spending]) == ["external:gateway:platform", "wallet:17", "wallet:230"]


def test_a_refusal_shows_both_sides_unchanged() -> None:
    """[PAY-36] two FAILED rows, receiver first, each with the balance at that moment."""
    poor = attrs.evolve(ITEM, sender=AGENT, merchant=None, gateway_tx_id=None)
    refused = settle(poor, Balances({"wallet:17": Decimal(10), "wallet:230": Decimal(70)}), NOW)
    assert refused.order.failure_code == FailureCode.INSUFFICIENT_BALANCE
    assert [(side.wallet_id, side.amount, side.balance) for side in refused.refused_sides] == [
        (230, 1000, 70),
        (17, -1000, 10),
    ]
    assert (refused.entry, refused.top_up) == (None, None)


def test_gateway_money_that_cannot_settle_waits_in_suspense() -> None:
    """[PAY-79] [PAY-197] each paid gateway transaction ends settled or in suspense, once."""
    other = attrs.evolve(METER, currency=Currency.USD)
    refused = settle(attrs.evolve(ITEM, receiver=other), Balances({}), NOW)
    assert refused.order.failure_code == FailureCode.WALLET_INVALID
    assert refused.entry is not None
    assert refused.entry.key == "gateway:platform:77:suspense"
    assert accounts_to_read([attrs.evolve(ITEM, receiver=other)]) != ()


def test_wallets_must_exist_and_differ() -> None:
    """[PAY-103] otherwise WALLET_INVALID."""
    for broken in (
        attrs.evolve(ITEM, sender=None),
        attrs.evolve(ITEM, receiver=None),
        attrs.evolve(ITEM, sender=AGENT, receiver=AGENT),
        attrs.evolve(ITEM, receiver=SYSTEM),
    ):
        assert settle(broken, Balances({}), NOW).order.failure_code == FailureCode.WALLET_INVALID


def test_more_energy_than_one_top_up_may_bring_waits() -> None:
    """R13: it grew past the limit before settlement: the money settles, the command is left to its task."""
    dear = attrs.evolve(ITEM, order=attrs.evolve(ITEM.order, amount=Decimal("3000000.01")))
    done = settle(dear, Balances({}), NOW)
    assert (done.order.status, done.order.tariff) == (OrderStatus.COMPLETED, 300)
    assert done.top_up is not None
    assert done.top_up.energy_kwh is None
