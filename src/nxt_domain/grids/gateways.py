"""Gateways between stock and grids: what may change, who may take one, and what the audit trail says."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

import attrs

from nxt_domain.grids.hardware_views import DcuView, InstallSessionView
from nxt_domain.grids.model import CommunicationProtocol
from nxt_domain.grids.views import GridView
from nxt_domain.shared.audit import Act, Actor, Subjects
from nxt_domain.shared.changes import differences
from nxt_domain.shared.errors import Conflict, InvalidInput, NotFound, Unavailable
from nxt_domain.shared.external_systems import ExternalSystem

CHANGEABLE = frozenset(
    {
        "external_reference",
        "external_system",
        "grid_id",
        "communication_protocol",
        "is_online",
        "is_online_updated_at",
        "last_online_at",
        "queue_buffer_length",
        "last_metering_hardware_install_session_id",
    }
)
"""Of a gateway's columns; its owner follows from its grid [REL-84]."""

_LONGEST_FLIGHT = timedelta(seconds=30)


class ImportOperation(StrEnum):
    """What the provisioning role shall do at the vendor."""

    ADD = "ADD"
    REMOVE = "REMOVE"


@attrs.frozen(kw_only=True)
class Assignment:
    """A wish to put a gateway on a grid [API-89]."""

    external_reference: str
    external_system: ExternalSystem
    grid_id: int
    communication_protocol: CommunicationProtocol


@attrs.frozen(kw_only=True)
class ImportOrder:
    """What the provisioning role is asked.

    Attributes:
        session_id: Install session that the import is a part of.
        dcu_id: Which gateway.
        request_id: Of the request that asks, for the log over there [API-185].
    """

    operation: ImportOperation
    session_id: int
    dcu_id: int
    request_id: str | None


@attrs.frozen(kw_only=True)
class LastImport:
    """The latest import of an install session."""

    id: int
    operation: ImportOperation
    is_finished: bool


def require_free(dcu: DcuView | None, wish: Assignment, holder: GridView | None) -> DcuView:
    """Return the gateway if it may be put on a grid.

    Args:
        dcu: As found; None: unknown, or another tenant's.
        wish: What is wanted.
        holder: The grid that it stands on; None: it is in stock.

    Raises:
        InvalidInput: There is no such gateway for the caller.
        Conflict: It stands on a grid already.
    """
    if dcu is None:
        raise InvalidInput(f"Dcu {wish.external_reference} does not exist in the system", code="DCU_UNKNOWN")
    if dcu.grid_id is not None:
        where = holder.name if holder is not None else f"grid {dcu.grid_id}"
        raise Conflict(
            f"{dcu.external_system} DCU with external reference {dcu.external_reference} already exists, "
            f"and is assigned to {where}",
            code="DCU_ASSIGNED",
        )
    return dcu


def dcu_unknown(dcu_id: int) -> NotFound:
    """Make the refusal of a gateway that does not exist for a caller [R39]."""
    return NotFound(f"Could not find dcu with id {dcu_id}", code="DCU_UNKNOWN")


def not_on_a_grid(dcu_id: int) -> Conflict:
    """Make the refusal to take a gateway off a grid that it does not stand on."""
    return Conflict(f"Dcu with id {dcu_id} is not assigned to a grid", code="DCU_NOT_ASSIGNED")


def provisioning_unavailable() -> Unavailable:
    """Make the failure of an order that the provisioning role did not take [API-89]."""
    return Unavailable("Provisioning service unavailable", code="PROVISIONING_UNAVAILABLE")


def require_unused(meters: int) -> None:
    """Refuse to remove a gateway that meters speak through.

    Raises:
        Conflict: There are some.
    """
    if meters:
        raise Conflict(f"Could not remove dcu as it's currently used by {meters} meters", code="DCU_IN_USE")


def require_no_flight(session: InstallSessionView | None, now: datetime) -> None:
    """Refuse to begin anew while another request waits for the provisioning role.

    Raises:
        Conflict: The last session is fresh, and has no import yet.
    """
    if session is None or session.last_metering_hardware_import_id is not None:
        return
    if now - session.created_at < _LONGEST_FLIGHT:
        raise Conflict(f"Dcu with id {session.dcu_id} is being changed by another request", code="DCU_BUSY")


def act_of_assignment(actor: Actor, dcu: DcuView, grid: GridView, app: str) -> Act:
    """Describe an assignment [API-217].

    Args:
        actor: Who did it.
        dcu: The gateway as it was.
        grid: Where it stands now.
        app: How people call the application for operations.
    """
    message = f"{actor.label} assigned dcu {dcu.external_reference} to {grid.name} via {app}"
    return _act(actor, "dcu.assign", dcu, grid, message, before={"grid_id": None}, after={"grid_id": grid.id})


def act_of_failed_assignment(actor: Actor, dcu: DcuView, grid: GridView) -> Act:
    """Describe that an assignment was taken back, since nobody could register the gateway."""
    message = (
        f"The assignment of dcu {dcu.external_reference} to {grid.name} by {actor.label} was undone: "
        "provisioning service unavailable"
    )
    return _act(actor, "dcu.assign.undo", dcu, grid, message, before={"grid_id": grid.id}, after={"grid_id": None})


def act_of_removal(actor: Actor, dcu: DcuView, grid: GridView, app: str) -> Act:
    """Describe a removal; see ``act_of_assignment``."""
    message = f"{actor.label} removed DCU {dcu.external_reference} from {grid.name} via {app}"
    return _act(actor, "dcu.unassign", dcu, grid, message)


def act_of_failed_removal(actor: Actor, dcu: DcuView, grid: GridView) -> Act:
    """Describe that a removal was taken back."""
    message = (
        f"The removal of DCU {dcu.external_reference} from {grid.name} by {actor.label} was undone: "
        "provisioning service unavailable"
    )
    return _act(actor, "dcu.unassign.undo", dcu, grid, message)


def act_of_update(actor: Actor, before: DcuView, after: DcuView) -> Act | None:
    """Describe an update as evidence; None: nothing is different now."""
    old, new = differences(before, after, CHANGEABLE)
    if not new:
        return None
    return Act(
        actor=actor,
        action="dcu.update",
        entity_type="dcu",
        entity_id=after.id,
        about=Subjects(
            organization_id=after.rls_organization_id or before.rls_organization_id,
            grid_id=after.grid_id or before.grid_id,
            dcu_id=after.id,
        ),
        before=old,
        after=new,
    )


def act_of_stocking(actor: Actor, dcu_id: int, external_reference: str) -> Act:
    """Describe that a gateway came into stock."""
    return Act(
        actor=actor,
        action="dcu.create",
        entity_type="dcu",
        entity_id=dcu_id,
        about=Subjects(dcu_id=dcu_id),
        after={"external_reference": external_reference},
    )


def _act(
    actor: Actor,
    action: str,
    dcu: DcuView,
    grid: GridView,
    message: str,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> Act:
    return Act(
        actor=actor,
        action=action,
        entity_type="dcu",
        entity_id=dcu.id,
        message=message,
        about=Subjects(organization_id=grid.organization_id, grid_id=grid.id, dcu_id=dcu.id),
        before=before,
        after=after,
    )
