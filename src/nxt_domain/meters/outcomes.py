"""What one delivery event does to one interaction: a pure function [MET-53, MET-79, R21]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import attrs

from nxt_domain.messaging.model import DeliveryEvent, DeliveryStatus, ExecutionStatus, FailureRecord, Phase
from nxt_domain.messaging.result_keys import result_value
from nxt_domain.meters.commands import CREDIT_CHANGES
from nxt_domain.meters.failures import prepended
from nxt_domain.meters.model import (
    Interaction,
    InteractionFailure,
    InteractionStatus,
    InteractionType,
    Origin,
    Resolution,
    VerificationState,
)
from nxt_domain.meters.three_phases import MEASURES, has_failed, is_complete, phases_in, with_phase
from nxt_domain.shared.json import JsonObject


@attrs.frozen(kw_only=True)
class Outcome:
    """The decision on one event.

    Attributes:
        interaction: As it is afterwards.
        is_changed: Whether it differs from before, and dashboards must hear of it.
        proves: The interaction to derive an observation of the meter from, if the meter did act.
        wants_credit_read: A follow-up read of the credit is due [MET-84].
        wants_verification: The outcome is unclear and must be looked into.
        ends_verification: It is itself the read that looks into another one.
        is_late: The meter acted although the interaction had been given up.
        is_partial: Only a phase of it ended: stored, and nobody is told [MET-81].
    """

    interaction: Interaction
    is_changed: bool = False
    proves: Interaction | None = None
    wants_credit_read: bool = False
    wants_verification: bool = False
    ends_verification: bool = False
    is_late: bool = False
    is_partial: bool = False


def outcome_of(interaction: Interaction, event: DeliveryEvent, now: datetime) -> Outcome:
    """Decide what an event means for its interaction.

    Args:
        interaction: As stored, its row locked.
        event: One of its events; may be a repetition, or late.
        now: Aware UTC; becomes ``updated_at`` of what changes.
    """
    if not event.delivery_status.is_terminal:
        return _under_way(interaction, event, now)
    if event.phase is not None and interaction.type in MEASURES:
        return _phase_ended(interaction, event, event.phase, now)
    if _is_success(event):
        return _succeeded(interaction, event, now)
    return _failed(interaction, event, now)


def _is_success(event: DeliveryEvent) -> bool:
    return (
        event.delivery_status is DeliveryStatus.DELIVERY_SUCCESSFUL
        and event.response is not None
        and event.response.status is ExecutionStatus.EXECUTION_SUCCESS
    )


def _under_way(interaction: Interaction, event: DeliveryEvent, now: datetime) -> Outcome:
    if event.delivery_status is DeliveryStatus.QUEUED or interaction.status is not InteractionStatus.QUEUED:
        return Outcome(interaction=interaction)
    moved = interaction.moved_to(
        InteractionStatus.PROCESSING,
        first_transmitted_at=interaction.first_transmitted_at or event.occurred_at,
        updated_at=now,
    )
    return Outcome(interaction=moved, is_changed=True)


def _succeeded(interaction: Interaction, event: DeliveryEvent, now: datetime) -> Outcome:
    if interaction.status is InteractionStatus.SUCCESSFUL:
        return Outcome(interaction=interaction)
    done = attrs.evolve(
        interaction,
        result=_result(event, interaction.result),
        delivery_failures=prepended(_records(event.failure_history), interaction.delivery_failures),
    )
    if not interaction.status.may_become(InteractionStatus.SUCCESSFUL):
        # The command was withdrawn or held back, and yet the meter acted: the row stays, the truth is noted [MET-53].
        return Outcome(interaction=interaction, proves=done, is_late=True)
    was_verifying = interaction.verification_state is VerificationState.VERIFYING
    done = done.moved_to(
        InteractionStatus.SUCCESSFUL,
        resolution=Resolution.DELIVERED,
        verification_state=VerificationState.CONFIRMED if was_verifying else interaction.verification_state,
        updated_at=now,
    )
    return Outcome(
        interaction=done,
        is_changed=True,
        proves=done,
        wants_credit_read=done.type in CREDIT_CHANGES and done.meter_commissioning_id is None,
        ends_verification=done.origin is Origin.VERIFICATION,
        is_late=interaction.status is InteractionStatus.FAILED,
    )


def _failed(interaction: Interaction, event: DeliveryEvent, now: datetime) -> Outcome:
    if interaction.status.is_final or not interaction.status.may_become(InteractionStatus.FAILED):
        return Outcome(interaction=interaction)
    noted = attrs.evolve(
        interaction,
        result=_result(event, interaction.result),
        delivery_failures=prepended(_records(event.failure_history), interaction.delivery_failures),
    )
    if _is_unclear(interaction, event):
        verifying = noted.moved_to(
            InteractionStatus.PROCESSING, verification_state=VerificationState.VERIFYING, updated_at=now
        )
        return Outcome(interaction=verifying, is_changed=True, wants_verification=True)
    was_delivered = event.delivery_status is DeliveryStatus.DELIVERY_SUCCESSFUL
    failed = noted.moved_to(
        InteractionStatus.FAILED,
        resolution=Resolution.REJECTED if was_delivered else Resolution.DELIVERY_FAILED,
        updated_at=now,
    )
    return Outcome(interaction=failed, is_changed=True, ends_verification=failed.origin is Origin.VERIFICATION)


def _phase_ended(interaction: Interaction, event: DeliveryEvent, phase: Phase, now: datetime) -> Outcome:
    """Note one of three answers; the last one ends the read, in success only if each carried a value [MET-81]."""
    is_open = not interaction.status.is_final and interaction.status.may_become(InteractionStatus.SUCCESSFUL)
    if not is_open or phase.value in phases_in(interaction.result):
        return Outcome(interaction=interaction)
    answer = _result(event, None) if _is_success(event) else None
    result = with_phase(interaction.result, interaction.type, phase, answer)
    noted = attrs.evolve(
        interaction,
        result=result,
        delivery_failures=prepended(_records(event.failure_history), interaction.delivery_failures),
        updated_at=now,
    )
    if not is_complete(result):
        return Outcome(interaction=noted, is_changed=True, is_partial=True)
    if has_failed(result):
        failed = noted.moved_to(InteractionStatus.FAILED, resolution=Resolution.DELIVERY_FAILED)
        return Outcome(interaction=failed, is_changed=True)
    done = noted.moved_to(InteractionStatus.SUCCESSFUL, resolution=Resolution.DELIVERED)
    return Outcome(interaction=done, is_changed=True, proves=done)


def _is_unclear(interaction: Interaction, event: DeliveryEvent) -> bool:
    """Whether a top-up may have reached the meter although the last attempt says otherwise [R21, MET-121].

    A refusal of a first attempt is clear: nothing of ours had reached the meter before. After an attempt whose
    answer was lost, "refused" may mean "taken already". Without any answer at all it depends on whether an attempt
    got past the network server.
    """
    if interaction.type is not InteractionType.TOP_UP or interaction.verification_state is not None:
        return False
    was_refused = event.delivery_status is DeliveryStatus.DELIVERY_SUCCESSFUL
    unclear = _EARLIER_ATTEMPT if was_refused else _TRANSMITTED
    # What earlier messages of a command that was tried again went through is kept with it [MET-95].
    before = {record.status for record in interaction.delivery_failures}
    return not unclear.isdisjoint(before.union(record.status for record in event.failure_history))


_TRANSMITTED = frozenset({DeliveryStatus.DELIVERED_TO_NS, DeliveryStatus.SENT_TO_DEVICE})
# A send that failed may have been accepted all the same, when its answer was lost (R20); the record does not tell.
_EARLIER_ATTEMPT = _TRANSMITTED | {DeliveryStatus.SENT_TO_NS}


def _result(event: DeliveryEvent, known: JsonObject | None) -> JsonObject | None:
    if event.response is None or event.response.data is None:
        return known
    return result_value(event.response.data)


def _records(history: Sequence[FailureRecord]) -> Sequence[InteractionFailure]:
    return [
        InteractionFailure(
            timestamp=record.timestamp,
            status=record.status,
            reason=record.reason,
            error_code=record.error_code,
            details=record.details,
            is_final=record.is_final,
        )
        for record in history
    ]
