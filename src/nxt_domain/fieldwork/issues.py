"""Issues: what may be changed in them, and what a change means [API-95]."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

import attrs

from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.outbox import OutboxTask

TICKET_CLOSABLE = "TICKET_CLOSABLE"
"""Kind of the task that tells the tracker that a ticket's issue is over."""

SNOOZABLE = frozenset({"snoozed_until"})
"""What ordinary organizations may change [API-68]."""

_NEVER_EMPTY = frozenset({"issue_type", "issue_status", "estimated_lost_revenue"})
_PATIENCE = timedelta(days=1)


class IssueStatus(StrEnum):
    """Where an issue stands; overridden ones are hidden by something graver."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"
    OVERRIDDEN = "OVERRIDDEN"


class IssueType(StrEnum):
    """What is wrong, in the database's order [API-216]."""

    NO_COMMUNICATION = "NO_COMMUNICATION"
    METER_NOT_ACTIVATED = "METER_NOT_ACTIVATED"
    TAMPER = "TAMPER"
    POWER_LIMIT_BREACHED = "POWER_LIMIT_BREACHED"
    OVER_VOLTAGE = "OVER_VOLTAGE"
    LOW_VOLTAGE = "LOW_VOLTAGE"
    POWER_LIMIT_BAD_CONFIGURATION = "POWER_LIMIT_BAD_CONFIGURATION"
    METER_STATE_BAD_CONFIGURATION = "METER_STATE_BAD_CONFIGURATION"
    UNEXPECTED_POWER_LIMIT = "UNEXPECTED_POWER_LIMIT"
    UNEXPECTED_METER_STATUS = "UNEXPECTED_METER_STATUS"
    NO_CREDIT = "NO_CREDIT"
    NO_CONSUMPTION = "NO_CONSUMPTION"
    NUMBER_OF_PHASES = "NUMBER_OF_PHASES"
    VEBUS_STATE = "VEBUS_STATE"
    VEBUS_ERROR = "VEBUS_ERROR"
    QUATTRO_TEMPERATURE_ALARM = "QUATTRO_TEMPERATURE_ALARM"
    QUATTRO_OVERLOAD_ALARM = "QUATTRO_OVERLOAD_ALARM"
    HIGH_BATTERY_TEMPERATURE_ALARM = "HIGH_BATTERY_TEMPERATURE_ALARM"
    CELL_IMBALANCE_ALARM = "CELL_IMBALANCE_ALARM"
    HIGH_CHARGE_CURRENT_ALARM = "HIGH_CHARGE_CURRENT_ALARM"
    HIGH_CHARGE_TEMPERATURE_ALARM = "HIGH_CHARGE_TEMPERATURE_ALARM"
    BATTERY_INTERNAL_FAILURE = "BATTERY_INTERNAL_FAILURE"
    BATTERY_CHARGE_BLOCKED_ALARM = "BATTERY_CHARGE_BLOCKED_ALARM"
    BATTERY_DISCHARGE_BLOCKED_ALARM = "BATTERY_DISCHARGE_BLOCKED_ALARM"


@attrs.frozen(kw_only=True)
class Issue:
    """A problem of a meter, a PV charger or a grid.

    Attributes:
        external_reference: Key of its ticket; None: it has none.
        estimated_lost_revenue: In major units of the grid's currency.
        organization_id: The tenant that it belongs to.
    """

    id: int
    issue_type: IssueType
    issue_status: IssueStatus
    snoozed_until: datetime | None = None
    closed_at: datetime | None = None
    external_reference: str | None = None
    estimated_lost_revenue: Decimal = Decimal(0)
    meter_id: int | None = None
    mppt_id: int | None = None
    grid_id: int | None = None
    organization_id: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether the problem is still there."""
        return self.issue_status is IssueStatus.OPEN

    def changed(self, changes: Mapping[str, Any], now: datetime) -> Issue:
        """Apply a client's changes; who closes an issue need not say when, who opens it again forgets when it closed.

        Args:
            changes: New values by name; None clears a value.
            now: The present instant.

        Raises:
            InvalidInput: A value that every issue has would be cleared, or nothing would be left that it is about.
        """
        cleared = [name for name, value in changes.items() if value is None and name in _NEVER_EMPTY]
        if cleared:
            raise InvalidInput([f"{name} should not be empty" for name in cleared], code="VALUE_REFUSED")
        changed = attrs.evolve(self, **changes)
        if changed.is_open and not self.is_open and "closed_at" not in changes:
            changed = attrs.evolve(changed, closed_at=None)
        if not changed.is_open and changed.closed_at is None:
            changed = attrs.evolve(changed, closed_at=now)
        if changed.meter_id is None and changed.mppt_id is None and changed.grid_id is None:
            raise InvalidInput("grid_id should not be empty", code="VALUE_REFUSED")
        return changed


def ticket_closable(before: Issue, after: Issue) -> OutboxTask | None:
    """Make the task that tells the tracker that an issue is over; None: it isn't, or has no ticket [API-100, AUTO-154].

    The tracker is only being told: it is tried for a day, and then left alone.
    """
    if not before.is_open or after.is_open or after.external_reference is None or after.closed_at is None:
        return None
    return OutboxTask(
        kind=TICKET_CLOSABLE,
        dedupe_key=f"issue:{after.id}:closed:{after.closed_at.isoformat()}",
        stream_key=f"issue:{after.id}",
        organization_id=after.organization_id,
        grid_id=after.grid_id,
        payload={"issue_id": after.id, "ticket": after.external_reference},
        give_up_after=_PATIENCE,
    )
