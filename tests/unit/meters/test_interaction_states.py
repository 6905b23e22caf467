"""The life of an interaction [MET-52], and its failure records [MET-24]."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.meters.meters_samples import NOW, a_record, an_interaction

from nxt_domain.meters.failures import expired_record, prepended
from nxt_domain.meters.model import InteractionFailure, InteractionStatus
from nxt_domain.shared.errors import Conflict

S = InteractionStatus
ALLOWED = {
    S.QUEUED: {S.QUEUED, S.PROCESSING, S.SUCCESSFUL, S.FAILED, S.SUSPENDED, S.ABORTED},
    S.PROCESSING: {S.PROCESSING, S.QUEUED, S.SUCCESSFUL, S.FAILED, S.ABORTED},
    S.SUSPENDED: {S.SUSPENDED, S.QUEUED, S.DEFERRED, S.ABORTED},
    S.DEFERRED: {S.DEFERRED, S.QUEUED, S.ABORTED},
    S.FAILED: {S.QUEUED, S.SUSPENDED, S.ABORTED, S.SUCCESSFUL},
    S.SUCCESSFUL: set(),
    S.ABORTED: set(),
}


@pytest.mark.parametrize("before", S)
@pytest.mark.parametrize("after", S)
def test_met_52_only_these_steps(before: InteractionStatus, after: InteractionStatus) -> None:
    interaction = an_interaction(status=before)
    if after in ALLOWED[before]:
        assert interaction.moved_to(after).status is after
    else:
        with pytest.raises(Conflict) as caught:
            interaction.moved_to(after)
        assert caught.value.code == "TRANSITION_REFUSED"


@given(st.lists(st.sampled_from(S), max_size=30))
def test_met_52_no_walk_takes_a_forbidden_step_or_leaves_an_end(wishes: list[InteractionStatus]) -> None:
    interaction = an_interaction()
    for wish in wishes:
        before = interaction.status
        try:
            interaction = interaction.moved_to(wish)
        except Conflict:
            assert wish not in ALLOWED[before]
            assert interaction.status is before
        else:
            assert wish in ALLOWED[before]


def test_met_51_ends() -> None:
    assert {status for status in S if status.is_final} == {S.SUCCESSFUL, S.FAILED, S.ABORTED}


def test_a_token_is_never_shown() -> None:
    """[R49] Neither in logs nor in error texts."""
    shown = repr(an_interaction(token="12345678901234567890"))
    assert "1234567890" not in shown
    assert "'•••'" in shown


_RECORDS = st.builds(
    lambda age_us, is_final, status: a_record(
        timestamp=NOW - timedelta(microseconds=age_us), is_final=is_final, status=status
    ),
    age_us=st.integers(0, 5000),
    is_final=st.booleans(),
    status=st.sampled_from(["QUEUED", "SENT_TO_DEVICE"]),
)


@given(st.lists(st.lists(_RECORDS, max_size=8), max_size=20))
def test_met_24_time_stamps_are_unique_and_the_list_is_bounded(batches: list[list[InteractionFailure]]) -> None:
    """Unique to the millisecond, which is how clients see them; ``TRUNCATED`` stands last, and only when needed."""
    history: tuple[InteractionFailure, ...] = ()
    total = 0
    for batch in batches:
        history = prepended(batch, history)
        total += len(batch)
        stamps = [record.timestamp for record in history]
        assert len(set(stamps)) == len(stamps)
        assert all(stamp.microsecond % 1000 == 0 for stamp in stamps)
        assert len(history) == min(total, 50)
        marks = [place for place, record in enumerate(history) if record.code == "TRUNCATED"]
        assert marks == ([49] if total > 50 else [])


def test_met_24_new_records_stand_in_front_in_their_order() -> None:
    old = (a_record(5, reason="old"),)
    history = prepended([a_record(0, reason="newest"), a_record(1, reason="newer")], old)
    assert [record.reason for record in history] == ["newest", "newer", "old"]


def test_met_24_milliseconds_are_added_where_two_coincide() -> None:
    history = prepended([a_record(reason="b"), a_record(reason="a")], (a_record(reason="old"),))
    assert [record.timestamp - NOW for record in history] == [
        timedelta(milliseconds=2),
        timedelta(milliseconds=1),
        timedelta(0),
    ]


def test_met_24_the_oldest_that_is_not_final_is_dropped() -> None:
    history = tuple(a_record(age, reason=str(age), is_final=age in {49, 47}) for age in range(50))
    full = prepended([a_record(-1, reason="new")], history)
    reasons = [record.reason for record in full]
    assert len(full) == 50
    assert reasons[0] == "new"
    assert reasons[-3:] == ["47", "49", "Older records were dropped"]
    assert "48" not in reasons
    assert (full[-1].code, full[-1].is_final) == ("TRUNCATED", False)
    assert full[-1].timestamp < full[-2].timestamp


def test_met_116_the_record_of_an_expiry() -> None:
    record = expired_record(an_interaction(status=S.SUSPENDED), NOW)
    assert (record.code, record.status, record.is_final) == ("EXPIRED", "SUSPENDED", True)
