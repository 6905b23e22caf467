"""Token time [MET-74, PAY-114], and the test vendor's digits [R23]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_domain.shared.errors import InvalidInput
from nxt_domain.tokens.model import TokenClass, TokenRequest, TokenReservation
from nxt_domain.tokens.ports import LocalTokenMaker, TokenVendor
from nxt_domain.tokens.rules import (
    credited_kwh,
    is_ahead_of_clock,
    is_token,
    minute_of,
    next_issue_time,
    refuse_far_ahead,
)
from nxt_domain.tokens.test_vendor import TestTokenMaker

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def at(minute: int, second: int = 0) -> datetime:
    return NOON + timedelta(minutes=minute, seconds=second)


@pytest.mark.parametrize(
    ("last", "now", "issue"),
    [
        pytest.param(None, at(0, 50), at(0, 50), id="first token"),
        pytest.param(at(0, 30), at(0, 50), at(1, 30), id="within a minute"),
        pytest.param(at(1, 30), at(0, 50), at(2, 30), id="again at once"),
        pytest.param(at(2, 30), at(5), at(5), id="later"),
        pytest.param(at(0, 0), at(1, 0), at(1, 0), id="exactly a minute"),
        pytest.param(at(0, 0), at(0, 59), at(1, 0), id="a second less"),
        pytest.param(at(90), at(0), at(91), id="last lies in the future"),
        pytest.param(at(0), at(0, 20), at(1), id="DM-138"),
        pytest.param(at(1), at(0, 25), at(2), id="DM-138, again"),
        pytest.param(at(2), at(3, 5), at(3, 5), id="DM-138, later"),
    ],
)
def test_met_74_examples(last: datetime | None, now: datetime, issue: datetime) -> None:
    """[REL-52] [PAY-114] [DM-138] The same rule."""
    assert next_issue_time(last=last, now=now) == issue


def test_met_74_a_recorded_minute_is_passed_over() -> None:
    """The last guard, when the meter's own last time is not the newest."""
    taken = {at(5), at(6)}
    assert next_issue_time(last=at(2), now=at(5, 10), taken_minutes=taken) == at(7, 10)


@pytest.mark.parametrize(
    ("now", "last", "minute"),
    [
        ("12:00:50", "12:00:30", "12:01"),
        ("12:00:52", "12:01:30", "12:02"),
        ("12:05:00", "12:02:30", "12:05"),
        ("00:00:40", "00:00:10", "00:02"),
        ("00:01:15", None, "00:02"),
        ("00:02:05", "00:02:15", "00:03"),
    ],
)
def test_sts_61_table(now: str, last: str | None, minute: str) -> None:
    """[STS-19] The minute 00:01 is never used, so that no token meets the one of 00:02."""

    def on_that_day(text: str) -> datetime:
        return datetime.fromisoformat(f"2026-03-10T{text}+00:00")

    issue = next_issue_time(now=on_that_day(now), last=None if last is None else on_that_day(last))
    assert f"{issue:%H:%M}" == minute


@given(
    now=st.integers(0, 200_000),
    last=st.none() | st.integers(-200_000, 200_000),
)
def test_sts_61_formula(now: int, last: int | None) -> None:
    """In whole minutes: the larger of now and the one after the last, and not 00:01."""
    start = datetime(2026, 3, 10, tzinfo=UTC)
    minute = now // 60 if last is None else max(now // 60, last // 60 + 1)
    minute += minute % 1440 == 1
    issue = next_issue_time(
        now=start + timedelta(seconds=now), last=None if last is None else start + timedelta(seconds=last)
    )
    assert minute_of(issue) == start + timedelta(minutes=minute)


@pytest.mark.parametrize(("ordered", "credited"), [("0.5", "0.5"), ("1638.3", "1638.3"), ("1638.5", "1639.4")])
def test_sts_23_what_the_meter_really_adds(ordered: str, credited: str) -> None:
    assert credited_kwh(Decimal(ordered)) == Decimal(credited)


def test_sts_63_a_meter_can_run_ahead_for_a_day() -> None:
    """[STS-63] An hour is worth an alert, a day is the end."""
    assert not is_ahead_of_clock(NOON + timedelta(minutes=60), NOON)
    assert is_ahead_of_clock(NOON + timedelta(minutes=61), NOON)
    refuse_far_ahead(NOON + timedelta(hours=24), NOON)
    with pytest.raises(InvalidInput) as refusal:
        refuse_far_ahead(NOON + timedelta(hours=24, minutes=1), NOON)
    assert refusal.value.code == "TOKEN_ISSUE_TIME_INVALID"


@given(
    last=st.none() | st.integers(-300, 300),
    steps=st.lists(st.integers(-120, 200), min_size=1, max_size=25),
    taken=st.sets(st.integers(0, 30)),
)
def test_rel_192_no_two_tokens_of_a_meter_share_a_minute(
    last: int | None, steps: Sequence[int], taken: set[int]
) -> None:
    """However the clock goes, and whatever was recorded before."""
    now = NOON
    newest = None if last is None else NOON + timedelta(seconds=last)
    minutes = {at(minute) for minute in taken} | ({minute_of(newest)} if newest else set())
    count = len(minutes)
    for step in steps:
        now += timedelta(seconds=step)
        newest = next_issue_time(last=newest, now=now, taken_minutes=minutes)
        minutes.add(minute_of(newest))
    assert len(minutes) == count + len(steps)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0" * 20, True),
        ("1234 5678 9012 3456 7890", False),
        ("0" * 19, False),
        ("0" * 21, False),
        ("x" * 20, False),
        ("٠" * 20, False),
        ("", False),
    ],
)
def test_what_a_token_looks_like(text: str, expected: bool) -> None:
    assert is_token(text) is expected


def a_request(**changes: Any) -> TokenRequest:
    request = TokenRequest(
        token_class=TokenClass.TOP_UP,
        meter_number="47001891341",
        issued_at=at(0, 30),
        nonce=3,
        energy_kwh=Decimal("4.4"),
    )
    return attrs.evolve(request, **changes)


class TestTestVendor:
    def test_r23_its_digits(self) -> None:
        """``0``, kWh×10 in six, the minute mod 10⁹ in nine, and the check in four."""
        token = TestTokenMaker().make(a_request())
        minute = int(NOON.timestamp()) // 60
        head = f"0000044{minute:09d}"
        assert token[:16] == head
        assert int(token[16:]) == (47001891341 + int(head)) % 9973
        assert is_token(token)

    def test_r23_a_token_is_for_one_meter(self) -> None:
        maker = TestTokenMaker()
        one, other = maker.make(a_request()), maker.make(a_request(meter_number="47001891358"))
        assert one[:16] == other[:16]
        assert one[16:] != other[16:]

    def test_pay_127_asked_twice_it_gives_the_same_digits(self) -> None:
        """Second and nonce are no part of this vendor's token."""
        maker = TestTokenMaker()
        assert maker.make(a_request()) == maker.make(a_request(issued_at=at(0, 59), nonce=9))
        assert maker.make(a_request()) != maker.make(a_request(issued_at=at(1, 0)))

    @pytest.mark.parametrize(
        "changes",
        [
            {"energy_kwh": None},
            {"energy_kwh": Decimal(0)},
            {"energy_kwh": Decimal(-1)},
            {"energy_kwh": Decimal("0.05")},
            {"energy_kwh": Decimal(100_000)},
            {"token_class": TokenClass.CLEAR_CREDIT},
            {"meter_number": "not a number"},
            {"meter_number": "١٢٣٤٥٦٧٨٩٠١"},
        ],
        ids=str,
    )
    def test_r23_what_it_can_not_write_it_refuses(self, changes: dict[str, Any]) -> None:
        with pytest.raises(InvalidInput):
            TestTokenMaker().make(a_request(**changes))

    @given(tenths=st.integers(1, 999_999), minutes=st.integers(0, 10**9), number=st.integers(0, 10**11 - 1))
    def test_r23_the_largest_and_smallest_fit(self, tenths: int, minutes: int, number: int) -> None:
        issued_at = datetime(1993, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
        token = TestTokenMaker().make(
            a_request(energy_kwh=Decimal(tenths) / 10, issued_at=issued_at, meter_number=f"{number:011d}")
        )
        assert is_token(token)
        assert int(token[1:7]) == tenths
        assert int(token[7:16]) == int(issued_at.timestamp()) // 60 % 10**9

    def test_it_works_in_this_process(self) -> None:
        """[R1] Makers here and vendors elsewhere are told apart."""
        maker = TestTokenMaker()
        assert isinstance(maker, LocalTokenMaker)
        assert not isinstance(maker, TokenVendor)


def test_a_reservation_does_not_show_its_token() -> None:
    """[R49]"""
    reservation = TokenReservation(
        meter_id=7,
        interaction_id=300,
        token_class=TokenClass.TOP_UP,
        issued_at=NOON,
        nonce=0,
        token="12345678901234567890",
    )
    assert "1234567890" not in repr(reservation)
