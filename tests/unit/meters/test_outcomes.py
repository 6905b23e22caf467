"""What one delivery event does to one interaction [MET-53, MET-79, R21]."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.meters.meters_samples import NOW, a_record, an_interaction

from nxt_domain.messaging.model import (
    DeliveryEvent,
    DeliveryStatus,
    Device,
    ExecutionStatus,
    FailureRecord,
    Response,
)
from nxt_domain.meters.model import (
    Interaction,
    InteractionStatus,
    InteractionType,
    Origin,
    Resolution,
    VerificationState,
)
from nxt_domain.meters.outcomes import outcome_of

S, D = InteractionStatus, DeliveryStatus
LATER = NOW + timedelta(minutes=3)
DONE, REFUSED = ExecutionStatus.EXECUTION_SUCCESS, ExecutionStatus.EXECUTION_FAILURE


def an_event(
    status: DeliveryStatus, execution: ExecutionStatus | None = None, *failed_at: DeliveryStatus, data: Any = None
) -> DeliveryEvent:
    history = [
        FailureRecord(timestamp=NOW - timedelta(minutes=n), status=s, reason="no") for n, s in enumerate(failed_at)
    ]
    return DeliveryEvent(
        event_id="01J0000000000000000000000A",
        occurred_at=NOW + timedelta(minutes=1),
        plugin_id="calin-chirpstack",
        delivery_status=status,
        device=Device(external_reference="47001000117"),
        correlation_id="300",
        response=None if execution is None else Response(status=execution, data=data),
        failure_history=history,
    )


SUCCESS = an_event(D.DELIVERY_SUCCESSFUL, DONE, data={"tokenAccepted": True})


@pytest.mark.parametrize("status", [D.SENT_TO_NS, D.DELIVERED_TO_NS, D.SENT_TO_DEVICE, D.TO_RETRY])
def test_met_79_anything_under_way_is_processing(status: DeliveryStatus) -> None:
    outcome = outcome_of(an_interaction(), an_event(status), LATER)
    assert outcome.is_changed
    assert outcome.interaction.status is S.PROCESSING
    assert outcome.interaction.first_transmitted_at == NOW + timedelta(minutes=1)
    assert outcome.interaction.updated_at == LATER


def test_met_79_first_transmitted_is_set_once() -> None:
    known = an_interaction(first_transmitted_at=NOW)
    assert outcome_of(known, an_event(D.SENT_TO_NS), LATER).interaction.first_transmitted_at == NOW


@pytest.mark.parametrize("status", [status for status in S if status is not S.QUEUED])
def test_dm_178_under_way_moves_nothing_else(status: InteractionStatus) -> None:
    interaction = an_interaction(status=status)
    outcome = outcome_of(interaction, an_event(D.SENT_TO_NS), LATER)
    assert (outcome.interaction, outcome.is_changed) == (interaction, False)


def test_met_79_queued_again_changes_nothing() -> None:
    interaction = an_interaction()
    assert outcome_of(interaction, an_event(D.QUEUED), LATER).interaction is interaction


def test_met_79_success_with_an_answer() -> None:
    before = an_interaction(delivery_failures=(a_record(60, reason="old"),))
    event = an_event(D.DELIVERY_SUCCESSFUL, DONE, D.SENT_TO_DEVICE, data={"kwhCreditAvailable": 4, "isOn": True})
    outcome = outcome_of(before, event, LATER)
    done = outcome.interaction
    assert (done.status, done.resolution, done.updated_at) == (S.SUCCESSFUL, Resolution.DELIVERED, LATER)
    assert done.result == {"kwh_credit_available": 4, "is_on": True}
    assert [record.reason for record in done.delivery_failures] == ["no", "old"]
    assert (outcome.proves, outcome.wants_credit_read, outcome.is_late) == (done, True, False)


def test_met_79_success_without_data_keeps_the_result() -> None:
    before = an_interaction(result={"a": 1})
    assert outcome_of(before, an_event(D.DELIVERY_SUCCESSFUL, DONE), LATER).interaction.result == {"a": 1}


@pytest.mark.parametrize(
    ("event", "resolution"),
    [
        (an_event(D.DELIVERY_SUCCESSFUL, REFUSED), Resolution.REJECTED),
        (an_event(D.DELIVERY_SUCCESSFUL), Resolution.REJECTED),
        (an_event(D.DELIVERY_FAILED, None, D.SENT_TO_NS), Resolution.DELIVERY_FAILED),
    ],
    ids=["refused", "no response", "undelivered"],
)
def test_met_79_anything_else_is_a_failure(event: DeliveryEvent, resolution: Resolution) -> None:
    outcome = outcome_of(an_interaction(), event, LATER)
    assert (outcome.interaction.status, outcome.interaction.resolution) == (S.FAILED, resolution)
    assert (outcome.proves, outcome.wants_credit_read, outcome.wants_verification) == (None, False, False)


@pytest.mark.parametrize(
    ("event", "is_unclear"),
    [
        pytest.param(an_event(D.DELIVERY_SUCCESSFUL, REFUSED, D.DELIVERY_SUCCESSFUL), False, id="first attempt"),
        pytest.param(
            an_event(D.DELIVERY_SUCCESSFUL, REFUSED, D.DELIVERY_SUCCESSFUL, D.SENT_TO_DEVICE), True, id="after silence"
        ),
        pytest.param(
            an_event(D.DELIVERY_SUCCESSFUL, REFUSED, D.DELIVERY_SUCCESSFUL, D.DELIVERED_TO_NS), True, id="after relay"
        ),
        pytest.param(
            an_event(D.DELIVERY_SUCCESSFUL, REFUSED, D.DELIVERY_SUCCESSFUL, D.SENT_TO_NS), True, id="after a lost send"
        ),
        pytest.param(an_event(D.DELIVERY_FAILED, None, D.SENT_TO_NS, D.SENT_TO_NS), False, id="never left"),
        pytest.param(an_event(D.DELIVERY_FAILED, None, D.QUEUED), False, id="expired in the queue"),
        pytest.param(an_event(D.DELIVERY_FAILED, None, D.SENT_TO_NS, D.SENT_TO_DEVICE), True, id="left once"),
        pytest.param(an_event(D.DELIVERY_FAILED, None, D.DELIVERED_TO_NS), True, id="never told"),
    ],
)
def test_r21_when_a_top_up_is_looked_into(event: DeliveryEvent, is_unclear: bool) -> None:
    """[MET-121] A repetition refused, or a command transmitted without answer; not one that never left."""
    outcome = outcome_of(an_interaction(status=S.PROCESSING), event, LATER)
    assert outcome.wants_verification is is_unclear
    if is_unclear:
        assert outcome.interaction.status is S.PROCESSING
        assert outcome.interaction.verification_state is VerificationState.VERIFYING
        assert outcome.interaction.resolution is None
    else:
        assert outcome.interaction.status is S.FAILED


def test_r21_only_top_ups_are_and_only_once() -> None:
    event = an_event(D.DELIVERY_SUCCESSFUL, REFUSED, D.DELIVERY_SUCCESSFUL, D.SENT_TO_DEVICE)
    assert outcome_of(an_interaction(InteractionType.TURN_ON), event, LATER).interaction.status is S.FAILED
    again = an_interaction(status=S.PROCESSING, verification_state=VerificationState.VERIFYING)
    assert outcome_of(again, event, LATER).interaction.status is S.FAILED


@pytest.mark.parametrize("event", [SUCCESS, an_event(D.DELIVERY_SUCCESSFUL, REFUSED), an_event(D.DELIVERY_FAILED)])
def test_met_53_what_ended_well_stays(event: DeliveryEvent) -> None:
    done = an_interaction(status=S.SUCCESSFUL)
    outcome = outcome_of(done, event, LATER)
    assert (outcome.interaction, outcome.is_changed, outcome.proves) == (done, False, None)


@pytest.mark.parametrize("status", [S.ABORTED, S.SUSPENDED, S.DEFERRED])
def test_met_53_a_success_that_can_not_be_one_is_noted(status: InteractionStatus) -> None:
    """The row stays, and what the meter did is told."""
    before = an_interaction(InteractionType.TURN_ON, status=status)
    outcome = outcome_of(before, SUCCESS, LATER)
    assert (outcome.interaction, outcome.is_changed, outcome.is_late) == (before, False, True)
    assert outcome.proves is not None


def test_met_53_a_late_success_mends_a_failure() -> None:
    outcome = outcome_of(an_interaction(status=S.FAILED, resolution=Resolution.REJECTED), SUCCESS, LATER)
    assert (outcome.interaction.status, outcome.interaction.resolution) == (S.SUCCESSFUL, Resolution.DELIVERED)
    assert outcome.is_late
    assert outcome.wants_credit_read


def test_met_84_commissioning_reads_for_itself() -> None:
    outcome = outcome_of(an_interaction(meter_commissioning_id=4), SUCCESS, LATER)
    assert not outcome.wants_credit_read


@pytest.mark.parametrize("event", [SUCCESS, an_event(D.DELIVERY_FAILED, None, D.SENT_TO_DEVICE)])
def test_met_123_the_end_of_a_look_is_marked(event: DeliveryEvent) -> None:
    look = an_interaction(InteractionType.READ_CREDIT, origin=Origin.VERIFICATION)
    assert outcome_of(look, event, LATER).ends_verification


_EVENTS = st.builds(
    an_event,
    st.sampled_from(D),
    st.sampled_from([None, DONE, REFUSED]),
    st.sampled_from([D.SENT_TO_NS, D.SENT_TO_DEVICE]),
)


@given(status=st.sampled_from(S), kind=st.sampled_from(InteractionType), events=st.lists(_EVENTS, max_size=8))
def test_met_53_no_sequence_of_events_can_block_or_undo(
    status: InteractionStatus, kind: InteractionType, events: list[DeliveryEvent]
) -> None:
    """Any events in any order are applied without error, a repetition changes nothing, and success is for ever."""
    interaction: Interaction = an_interaction(kind, status=status)
    for event in events:
        outcome = outcome_of(interaction, event, LATER)
        if interaction.status is S.SUCCESSFUL:
            assert outcome.interaction is interaction
        if not outcome.is_changed:
            assert outcome.interaction == interaction
        if not outcome.wants_verification:
            again = outcome_of(outcome.interaction, event, LATER)
            assert not again.is_changed
        interaction = outcome.interaction
