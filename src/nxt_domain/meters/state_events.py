"""Why a meter is as it is: decisions and observations, kept as rows [MET-28, MET-102.6]."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import attrs

from nxt_domain.meters.model import Interaction, Meter
from nxt_domain.shared.json import JsonObject


class StateEventKind(StrEnum):
    """What happened; ``Meters.observe`` writes ``REPORTED_SET`` itself, ``Intents.register`` ``DESIRED_SET``."""

    DESIRED_SET = "DESIRED_SET"
    REPORTED_SET = "REPORTED_SET"
    COALESCED = "COALESCED"
    EXPIRED = "EXPIRED"
    VERIFYING = "VERIFYING"
    CONFIRMED = "CONFIRMED"
    REFUTED = "REFUTED"
    INCONCLUSIVE = "INCONCLUSIVE"
    LATE_RESULT = "LATE_RESULT"


class Actor(StrEnum):
    """Who or what caused it."""

    USER = "USER"
    DEVICE = "DEVICE"
    TRIAGE = "TRIAGE"
    SYSTEM = "SYSTEM"


@attrs.frozen(kw_only=True)
class StateEvent:
    """One row of a meter's history; never changed.

    Attributes:
        interaction_id: The command concerned.
        attribute: ``relay`` or ``power_limit``; None: the meter as a whole.
        grid_id: Of the meter at that time.
    """

    meter_id: int
    event: StateEventKind
    actor: Actor
    interaction_id: int | None = None
    attribute: str | None = None
    grid_id: int | None = None
    data: JsonObject | None = None


class StateEvents(Protocol):
    """The append-only history of meters, inside the caller's transaction."""

    async def add(self, events: Sequence[StateEvent]) -> None:
        """Store events, in one statement."""


def event_of(kind: StateEventKind, actor: Actor, interaction: Interaction, meter: Meter | None) -> StateEvent:
    """Note what happened to an interaction."""
    return StateEvent(
        meter_id=interaction.meter_id,
        event=kind,
        actor=actor,
        interaction_id=interaction.id,
        grid_id=None if meter is None else meter.grid_id,
        data={"type": interaction.type.value, "status": interaction.status.value},
    )
