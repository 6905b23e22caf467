"""Partial updates of grids: what may be changed, and what a change leaves in the evidence [API-92]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from nxt_domain.grids.views import GridView
from nxt_domain.shared.audit import Act, Actor, Subjects

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


def _check_names(_change: GridChange, _attribute: object, values: Mapping[str, object]) -> None:
    if fixed := sorted(set(values) - CHANGEABLE):
        raise ValueError(f"a grid's {', '.join(fixed)} can't be changed")


@attrs.frozen(kw_only=True)
class GridChange:
    """New values of some of a grid's columns; the others stay.

    Attributes:
        grid_id: Which grid.
        values: By column, those of ``CHANGEABLE``; None clears a column that may be empty.
    """

    grid_id: int
    values: Mapping[str, object] = attrs.field(validator=_check_names)


def by_grid(changes: Sequence[GridChange]) -> Mapping[int, GridChange]:
    """Put several changes of one grid together, the last word counting, in the order of the first mention."""
    merged: dict[int, GridChange] = {}
    for change in changes:
        earlier = merged.get(change.grid_id)
        values = change.values if earlier is None else {**earlier.values, **change.values}
        merged[change.grid_id] = GridChange(grid_id=change.grid_id, values=values)
    return merged


def act_of_update(actor: Actor, before: GridView, after: GridView) -> Act | None:
    """Describe an update as evidence; None: nothing is different now. What opens a chat is not shown [REL-142]."""
    old, new = attrs.asdict(before, recurse=False), attrs.asdict(after, recurse=False)
    different = [name for name in sorted(CHANGEABLE) if old[name] != new[name]]
    if not different:
        return None
    return Act(
        actor=actor,
        action="grid.update",
        entity_type="grid",
        entity_id=after.id,
        about=Subjects(organization_id=after.organization_id, grid_id=after.id),
        before={name: _shown(name, old[name]) for name in different},
        after={name: _shown(name, new[name]) for name in different},
    )


def _shown(name: str, value: object) -> object:
    return _HIDDEN if name in _SECRET and value is not None else value
