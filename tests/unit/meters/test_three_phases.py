"""One read of a three-phase meter is three messages [MET-81]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.meters.meters_samples import NOW, an_interaction

from nxt_domain.messaging.model import (
    DeliveryEvent,
    DeliveryStatus,
    Device,
    ExecutionStatus,
    FailureRecord,
    Phase,
    Response,
)
from nxt_domain.meters.model import Interaction, InteractionStatus, InteractionType, Resolution
from nxt_domain.meters.outcomes import outcome_of

VOLTAGE, CURRENT, POWER = InteractionType.READ_VOLTAGE, InteractionType.READ_CURRENT, InteractionType.READ_POWER
A, B, C = Phase


def ended(phase: Phase, key: str, value: object | None) -> DeliveryEvent:
    """A phase's last event; without a value its message failed."""
    failure = FailureRecord(timestamp=NOW, status=DeliveryStatus.SENT_TO_DEVICE, reason=f"{phase} is silent")
    return DeliveryEvent(
        event_id="01J0000000000000000000000A",
        occurred_at=NOW + timedelta(minutes=1),
        plugin_id="calin-api-v1",
        delivery_status=DeliveryStatus.DELIVERY_FAILED if value is None else DeliveryStatus.DELIVERY_SUCCESSFUL,
        device=Device(external_reference="47001000117"),
        correlation_id="300",
        phase=phase,
        response=None if value is None else Response(status=ExecutionStatus.EXECUTION_SUCCESS, data={key: value}),  # type: ignore[dict-item]  # any JSON
        failure_history=[failure] if value is None else [],
    )


def after(interaction: Interaction, events: Sequence[DeliveryEvent]) -> Interaction:
    for event in events:
        interaction = outcome_of(interaction, event, NOW).interaction
    return interaction


def test_the_example_of_the_specification() -> None:
    """[MET-81] [DM-180] Both examples, word for word."""
    asked = an_interaction(VOLTAGE, status=InteractionStatus.PROCESSING)
    two = [ended(A, "voltage", 220.1), ended(B, "voltage", 229.5)]
    done = after(asked, [*two, ended(C, "voltage", 225.4)])
    assert done.result == {
        "voltage": Decimal("225.0"),
        "phase": {"A": Decimal("220.1"), "B": Decimal("229.5"), "C": Decimal("225.4")},
    }
    assert (done.status, done.resolution) == (InteractionStatus.SUCCESSFUL, Resolution.DELIVERED)
    failed = after(asked, [*two, ended(C, "voltage", None)])
    assert failed.result == {
        "voltage": Decimal("224.8"),
        "phase": {"A": Decimal("220.1"), "B": Decimal("229.5"), "C": None},
    }
    assert failed.status is InteractionStatus.FAILED


@pytest.mark.parametrize(("kind", "key", "expected"), [(CURRENT, "current", "2.0"), (POWER, "power", "6.0")])
def test_currents_have_a_mean_and_powers_a_sum(kind: InteractionType, key: str, expected: str) -> None:
    """[MET-81]"""
    done = after(an_interaction(kind), [ended(A, key, 1), ended(B, key, 2), ended(C, key, 3)])
    assert done.result is not None
    assert done.result[key] == Decimal(expected)


def test_what_is_no_number_counts_as_a_phase_without_data() -> None:
    """[MET-81] Three failures leave nothing to sum up, and every reason."""
    done = after(an_interaction(VOLTAGE), [ended(A, "voltage", "?"), ended(B, "voltage", None), ended(C, "volt", 3)])
    assert done.result == {"voltage": None, "phase": {"A": None, "B": None, "C": None}}
    assert done.status is InteractionStatus.FAILED
    assert [failure.reason for failure in done.delivery_failures] == ["B is silent"]


@given(
    order=st.permutations([A, B, C, A, B, C, A]),
    values=st.tuples(*[st.none() | st.decimals("0", "500", places=1)] * 3),
)
def test_order_and_repetition_change_nothing(order: Sequence[Phase], values: tuple[Decimal | None, ...]) -> None:
    """[MET-81] [MET-53] It ends once, with the third phase; only the whole is told."""
    of = dict(zip(Phase, values, strict=True))
    interaction, told, partial = an_interaction(VOLTAGE), 0, 0
    for phase in order:
        outcome = outcome_of(interaction, ended(phase, "voltage", of[phase]), NOW)
        interaction = outcome.interaction
        told += outcome.is_changed and not outcome.is_partial
        partial += outcome.is_partial
        assert (outcome.proves is not None) <= interaction.status.is_final
    assert (told, partial) == (1, 2)
    assert interaction.result is not None
    assert interaction.result["phase"] == {phase.value: of[phase] for phase in Phase}
    assert (interaction.status is InteractionStatus.FAILED) == (None in values)


def test_a_withdrawn_read_takes_no_phase() -> None:
    """[MET-53]"""
    withdrawn = an_interaction(VOLTAGE, status=InteractionStatus.ABORTED)
    outcome = outcome_of(withdrawn, ended(A, "voltage", 1), NOW)
    assert (outcome.interaction, outcome.is_changed) == (withdrawn, False)
