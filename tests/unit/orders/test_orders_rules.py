"""Tariffs, energy, amounts, references, messages, and what the gateway's word means."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.orders.orders_samples import NOW, ORDER, TARIFFS

from nxt_domain.grids.tariffs import MeterType, credit_value, energy_sold, tariff_of_meter
from nxt_domain.orders import notices
from nxt_domain.orders.amounts import check_amount, check_top_up
from nxt_domain.orders.gateway import Charge, GatewayTransaction, PaymentState, Verdict, judge, next_verification
from nxt_domain.orders.notices import Contact, NoticeType
from nxt_domain.orders.references import is_storable, payment_reference
from nxt_domain.orders.settlement import waiting_time
from nxt_domain.orders.states import FailureCode, OrderStatus
from nxt_domain.shared.errors import InvalidInput, Unprocessable
from nxt_domain.shared.money import Currency


@pytest.mark.parametrize(
    ("amount", "tariff", "energy_kwh"),
    [
        ("1000", "250", "4"),
        ("1000", "300", "3.4"),
        ("500", "350", "1.5"),
        ("2000", "212.25", "9.5"),
        ("100", "286.5", "0.4"),
        ("4922.26", "703.18", "7"),
        ("660", "220", "3"),
        ("1000", "230", "4.4"),
        ("1000", "265", "3.8"),
    ],
)
def test_energy_is_rounded_up_exactly(amount: str, tariff: str, energy_kwh: str) -> None:
    """[REL-66] [PAY-108] [PAY-198] 16: the table of 11.3, and the examples of [MET-92]."""
    assert energy_sold(Decimal(amount), Decimal(tariff)) == Decimal(energy_kwh)


def test_a_tenth_of_a_kwh_is_not_given_away() -> None:
    """[PAY-1] [PAY-198] 16: the decimal example of 0.2, which binary doubles get wrong."""
    assert energy_sold(Decimal("4922.26"), Decimal("703.18")) == Decimal("7.0")
    assert math.ceil(4922.26 / 703.18 * 10) / 10 == 7.1


@given(
    st.decimals(min_value="0.01", max_value=10**7, places=2), st.decimals(min_value="0.0001", max_value=10**6, places=4)
)
def test_energy_never_cheats_anybody(amount: Decimal, tariff: Decimal) -> None:
    """[PAY-108] never less than what was paid for, and less than a tenth more."""
    sold = energy_sold(amount, tariff)
    assert sold * tariff >= amount > (sold - Decimal("0.1")) * tariff
    assert sold * 10 == int(sold * 10)


def test_value_of_credit() -> None:
    """[REL-51] [PAY-111] [MET-91] to the cent, a half goes up."""
    assert credit_value(Decimal("12.345"), Decimal(250)) == Decimal("3086.25")
    assert credit_value(Decimal("0.0001"), Decimal(50)) == Decimal("0.01")
    assert credit_value(Decimal("12.4"), Decimal(265)) == Decimal("3286.00")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "300"),
        ({"own_tariff": Decimal(120)}, "120"),
        ({"own_tariff": Decimal(0)}, "300"),
        ({"own_tariff": Decimal(-5)}, "300"),
        ({"meter_type": MeterType.FS}, "300"),
        ({"meter_type": MeterType.FS, "is_dual_meter_grid": True}, "350"),
        ({"is_dual_meter_grid": True}, "300"),
        ({"essential_tariff": Decimal(0)}, None),
        ({"essential_tariff": None}, None),
    ],
)
def test_tariff_of_a_meter(changes: dict[str, object], expected: str | None) -> None:
    """[REL-50] [PAY-107] [MET-91] own price, else the grid's by service; zero or less is missing."""
    tariff = tariff_of_meter(attrs.evolve(TARIFFS, **changes))
    assert tariff == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(
    ("amount", "texts"),
    [
        ("1", []),
        ("10000000", []),
        ("0.5", ["amount must not be less than 1"]),
        ("0", ["amount must be a positive number", "amount must not be less than 1"]),
        ("10000000.01", ["amount must not be greater than 10000000"]),
        ("1.001", ["amount must have at most 2 decimal places"]),
        ("1E+999999", ["amount must not be greater than 10000000"]),
        ("NaN", ["amount must be a number conforming to the specified constraints"]),
    ],
)
def test_amounts(amount: str, texts: list[str]) -> None:
    """[PAY-4] [PAY-10] and R13: all violated rules at once, in their words."""
    if not texts:
        check_amount(Decimal(amount))
        return
    with pytest.raises(InvalidInput) as refused:
        check_amount(Decimal(amount))
    assert list(refused.value.messages) == texts


def test_a_top_up_is_at_most_ten_thousand_kwh() -> None:
    """R13 [MET-48] at the present tariff; without tariff nothing can be said."""
    check_top_up(Decimal(3_000_000), TARIFFS, "47001771477")
    with pytest.raises(Unprocessable, match="Amount is too large for meter 47001771477"):
        check_top_up(Decimal("3000000.01"), TARIFFS, "47001771477")
    check_top_up(Decimal(10_000_000), attrs.evolve(TARIFFS, essential_tariff=None), "47001771477")


def test_payment_references() -> None:
    """[PAY-55] form, white space, prefix, zone."""
    at = datetime(2026, 3, 10, 10, 15, 2, 123_456, tzinfo=timezone(timedelta(hours=1)))
    made = payment_reference(
        organization_name="Sun  Power\tLtd", meter_reference="47001771477", at=at, is_production=True
    )
    assert made == "Sun_Power_Ltd+47001771477__2026-03-10T09:15:02.123Z"
    made = payment_reference(organization_name="A", meter_reference="1", at=at, is_production=False)
    assert made.startswith("DEV__A+1__")


@pytest.mark.parametrize(("text", "expected"), [("a+b", True), ("a\0b", False), ("\ud800", False), ("x" * 256, False)])
def test_what_can_be_stored(text: str, expected: bool) -> None:
    """[API-38] no input ends in an unforeseen error."""
    assert is_storable(text) is expected


def test_waiting_times_of_failing_orders() -> None:
    """[PAY-104] five tries at once, then 1, 2, 4 … 60 minutes."""
    assert [waiting_time(failures) // timedelta(minutes=1) for failures in (1, 4, 5, 6, 7, 10, 11, 12, 10**6)] == [
        0, 0, 1, 2, 4, 32, 60, 60, 60,
    ]  # fmt: skip


CHARGE = Charge(
    order_id=50,
    merchant="platform",
    reference=ORDER.external_reference or "",
    amount=ORDER.amount,
    currency=Currency.NGN,
    gateway_tx_id="1",
)
ANSWER = GatewayTransaction(
    id="1",
    reference=CHARGE.reference,
    state=PaymentState.PAID,
    status="successful",
    amount=Decimal("1000.00"),
    currency="NGN",
    charged_amount=Decimal(1014),
)


def order(status: OrderStatus, code: FailureCode | None = None):  # type: ignore[no-untyped-def]
    return attrs.evolve(ORDER, status=status, failure_code=code)


@pytest.mark.parametrize(
    ("state", "answer", "verdict"),
    [
        (order(OrderStatus.INITIALISED), {}, Verdict.PAID),
        (order(OrderStatus.TIMED_OUT), {}, Verdict.PAID),
        (order(OrderStatus.CANCELLED), {}, Verdict.PAID),
        (order(OrderStatus.FAILED, FailureCode.GATEWAY_REJECTED), {}, Verdict.PAID),
        (order(OrderStatus.INITIALISED), {"amount": Decimal(999)}, Verdict.AMOUNT_MISMATCH),
        (order(OrderStatus.INITIALISED), {"currency": "GHS"}, Verdict.CURRENCY_MISMATCH),
        (order(OrderStatus.PENDING), {}, Verdict.NOTHING),
        (order(OrderStatus.COMPLETED), {}, Verdict.NOTHING),
        (order(OrderStatus.COMPLETED), {"id": "2"}, Verdict.SECOND_PAYMENT),
        (order(OrderStatus.IGNORED), {}, Verdict.UNWANTED_PAYMENT),
        (order(OrderStatus.FAILED, FailureCode.INSUFFICIENT_BALANCE), {}, Verdict.UNWANTED_PAYMENT),
        (order(OrderStatus.INITIALISED), {"reference": "another"}, Verdict.FOREIGN),
        (order(OrderStatus.INITIALISED), {"state": PaymentState.REFUSED}, Verdict.REFUSED),
        (order(OrderStatus.TIMED_OUT), {"state": PaymentState.REFUSED}, Verdict.REFUSED),
        (order(OrderStatus.COMPLETED), {"state": PaymentState.REFUSED}, Verdict.NOTHING),
        (order(OrderStatus.CANCELLED), {"state": PaymentState.REFUSED}, Verdict.NOTHING),
        (order(OrderStatus.INITIALISED), {"state": PaymentState.UNDECIDED}, Verdict.UNDECIDED),
    ],
)
def test_what_an_answer_means(state, answer: dict[str, object], verdict: Verdict) -> None:  # type: ignore[no-untyped-def]
    """[PAY-74] [PAY-77] [PAY-79] by state of the order."""
    assert judge(state, CHARGE, attrs.evolve(ANSWER, **answer)) is verdict


def test_a_transaction_of_another_order_is_foreign() -> None:
    """[PAY-74] step 4."""
    assert judge(order(OrderStatus.INITIALISED), CHARGE, ANSWER, belongs_to_other=True) is Verdict.FOREIGN


def test_the_ladder_of_verifications() -> None:
    """[PAY-89] 5, 10, 20, 40, 60 minutes, then hourly; [PAY-91] once a day for seven days; else never."""
    waiting = order(OrderStatus.INITIALISED)
    minutes = [(next_verification(waiting, attempts=n, now=NOW) or NOW) - NOW for n in range(1, 8)]
    assert [wait // timedelta(minutes=1) for wait in minutes] == [5, 10, 20, 40, 60, 60, 60]
    late = attrs.evolve(order(OrderStatus.TIMED_OUT), status_since=NOW)
    assert next_verification(late, attempts=9, now=NOW + timedelta(days=6)) == NOW + timedelta(days=7)
    assert next_verification(late, attempts=9, now=NOW + timedelta(days=7)) is None
    assert next_verification(order(OrderStatus.COMPLETED), attempts=1, now=NOW) is None
    assert next_verification(order(OrderStatus.FAILED, FailureCode.AMOUNT_MISMATCH), attempts=1, now=NOW) is None


def test_notices() -> None:
    """[PAY-120] texts, types, keys; no phone, no message."""
    contact = Contact(account_id=17, phone="2348030000041")
    told = notices.meter_topped_up(ORDER, contact, "47001771477")
    assert told is not None
    assert (told.type, told.phone) == (NoticeType.METER_TOPPED_UP, "+2348030000041")
    assert told.message == "Sent NGN 1000 to meter 47001771477"
    assert told.dedupe_key == "order:50:sms:17:sent"
    assert (told.grid_id, told.organization_id, told.account_id) == (5, 9, 17)
    assert notices.credit_received(ORDER, Contact(account_id=17, phone=None)) is None
    caller = notices.bank_refused(ORDER, Contact(account_id=None, phone="+2348030000041"))
    assert caller is not None
    assert (caller.message, caller.phone, caller.account_id) == (
        "Your bank rejected the payment",
        "+2348030000041",
        None,
    )
