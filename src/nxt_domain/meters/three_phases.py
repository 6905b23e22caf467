"""One read of a three-phase meter: three messages whose answers are put together [MET-81]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from nxt_domain.messaging.model import Phase
from nxt_domain.meters.effects import number_of
from nxt_domain.meters.model import InteractionType
from nxt_domain.shared.json import Json, JsonObject

MEASURES: Final[Mapping[InteractionType, str]] = {
    InteractionType.READ_VOLTAGE: "voltage",
    InteractionType.READ_CURRENT: "current",
    InteractionType.READ_POWER: "power",
}
"""Key of the measured value in an answer's data, and in the result put together."""

_TENTH = Decimal("0.1")


def phases_in(result: JsonObject | None) -> Mapping[str, Json]:
    """Return the phases that have ended, by letter; None: that phase failed or carried no value."""
    phases = (result or {}).get("phase")
    return phases if isinstance(phases, Mapping) else {}


def with_phase(result: JsonObject | None, kind: InteractionType, phase: Phase, answer: JsonObject | None) -> JsonObject:
    """Put one phase's answer into a read's result.

    Args:
        result: What the phases that ended before came to.
        kind: A read of ``MEASURES``.
        phase: Which one ended.
        answer: Its data, keys in snake_case; None: it failed.

    Returns:
        ``{<measure>: aggregate, "phase": {"A": …}}``: the mean of voltages and currents (V, A), the sum of powers
        (W), over the phases that have a value, rounded half up to one decimal; None if none has.
    """
    measure = MEASURES[kind]
    values = {**phases_in(result), phase.value: number_of((answer or {}).get(measure))}
    measured = [number for value in values.values() if (number := number_of(value)) is not None]
    return {measure: _aggregate(kind, measured), "phase": dict(sorted(values.items()))}


def is_complete(result: JsonObject) -> bool:
    """Whether all three phases have ended."""
    return len(phases_in(result)) == len(Phase)


def has_failed(result: JsonObject) -> bool:
    """Whether some phase ended without a value."""
    return any(value is None for value in phases_in(result).values())


def _aggregate(kind: InteractionType, measured: Sequence[Decimal]) -> Decimal | None:
    if not measured:
        return None
    total = sum(measured, Decimal(0))
    aggregate = total if kind is InteractionType.READ_POWER else total / len(measured)
    return aggregate.quantize(_TENTH, ROUND_HALF_UP)
