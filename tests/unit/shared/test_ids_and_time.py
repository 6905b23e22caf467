"""Ids that sort by time [DM-5], times as clients read them [API-28], alerts that don't repeat [PAY-134]."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_adapters.memory.database import MemoryClock
from nxt_domain.shared.alerts import alert
from nxt_domain.shared.clock import iso_millis
from nxt_domain.shared.ids import UlidFactory, ulid_time

NOW = datetime(2026, 3, 10, 9, 15, 0, 123_000, tzinfo=UTC)


@given(st.lists(st.integers(-2000, 2000), min_size=1, max_size=40))
def test_dm_5_ids_of_a_process_always_grow(steps_ms: list[int]) -> None:
    """Within a millisecond, and also when the clock steps back."""
    clock = MemoryClock(NOW)
    new_id = UlidFactory(clock)
    ids = [new_id()]
    for step in steps_ms:
        clock.advance(timedelta(milliseconds=step))
        ids.append(new_id())
    assert ids == sorted(set(ids))
    assert all(re.fullmatch(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", ulid) for ulid in ids)


@given(st.datetimes(datetime(1970, 1, 2), datetime(9999, 1, 1)))  # noqa: DTZ001 - made aware below
def test_dm_5_the_time_part_is_the_birth(naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC, microsecond=naive.microsecond // 1000 * 1000)
    assert ulid_time(UlidFactory(MemoryClock(moment))()) == moment


def test_dm_5_threads_share_one_sequence() -> None:
    new_id = UlidFactory(MemoryClock(NOW))
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: new_id(), range(2000)))
    assert len(set(ids)) == 2000


@pytest.mark.parametrize("text", ["", "0" * 25, "0" * 27, "U" * 26, "01ARZ3NDEKTSV4RRFFQ69G5FA!"[:9] + "I" * 17])
def test_what_is_no_ulid(text: str) -> None:
    with pytest.raises(ValueError, match="not a ULID"):
        ulid_time(text)


def test_api_28_instants() -> None:
    assert iso_millis(NOW) == "2026-03-10T09:15:00.123Z"
    lagos = timezone(timedelta(hours=1))
    assert iso_millis(datetime(2026, 3, 10, 10, 15, tzinfo=lagos)) == "2026-03-10T09:15:00.000Z"


def test_pay_134_the_same_alert_at_most_once_an_hour() -> None:
    def key(at: datetime, subject: str = "order:50") -> str:
        return alert("LATE_PAYMENT", subject, "late", at=at).dedupe_key

    assert key(NOW) == key(NOW + timedelta(minutes=44))
    assert key(NOW) != key(NOW + timedelta(minutes=45))
    assert key(NOW) != key(NOW, "order:51")
    task = alert("LATE_PAYMENT", "order:50", "late", at=NOW, facts={"order_id": 50})
    assert task.payload == {"code": "LATE_PAYMENT", "subject": "order:50", "text": "late", "facts": {"order_id": 50}}
