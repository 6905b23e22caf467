"""Partial updates of grids: what may be changed, and what a change leaves in the evidence [API-92]."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from nxt_domain.grids.views import GridView
from nxt_domain.shared.audit import Act, Actor, Subjects
from nxt_domain.shared.changes import differences

FIXED = frozenset(
    {
        "id",
        "created_at",
        "deleted_at",
        "timezone",
        "generation_external_system",
        "metering_external_system",
        "uses_dual_meter_setup",
        "telegram_notification_channel_invite_link",
    }
)
CHANGEABLE = frozenset(field.name for field in attrs.fields(GridView)) - FIXED

_SECRET = frozenset({"telegram_response_path_token", "telegram_response_path_autopilot"})
_HIDDEN = "***"


def act_of_update(actor: Actor, before: GridView, after: GridView) -> Act | None:
    """Describe an update as evidence; None: nothing is different now. What opens a chat is not shown [REL-142]."""
    old, new = differences(before, after, CHANGEABLE)
    if not new:
        return None
    return Act(
        actor=actor,
        action="grid.update",
        entity_type="grid",
        entity_id=after.id,
        about=Subjects(organization_id=after.organization_id, grid_id=after.id),
        before=_shown(old),
        after=_shown(new),
    )


def _shown(values: Mapping[str, object]) -> Mapping[str, object]:
    return {name: _HIDDEN if name in _SECRET and value is not None else value for name, value in values.items()}
