"""Changing many grids at once: all of them, or none [API-92]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nxt_domain.grids.changes import CHANGEABLE, act_of_update
from nxt_domain.grids.use_cases.read_grids import GridsTransaction
from nxt_domain.grids.views import GridWithOrganization, grid_unknown
from nxt_domain.identity.model import Principal
from nxt_domain.identity.rules import actor_of
from nxt_domain.identity.scope import scope_of
from nxt_domain.shared.audit import AuditedTransaction
from nxt_domain.shared.changes import RowChange, by_id
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory


class AuditedGridsTransaction(GridsTransaction, AuditedTransaction, Protocol):
    """A transaction that changes grids and records who did."""


class UpdateGrids:
    """Applies partial updates.

    Args:
        begin: Opens a transaction.
    """

    def __init__(self, begin: UnitOfWorkFactory[AuditedGridsTransaction]) -> None:
        self._begin = begin

    async def __call__(self, caller: Principal, changes: Sequence[RowChange]) -> Sequence[GridWithOrganization]:
        """Apply changes, and return the grids as they are then, in the order of their first mention.

        Raises:
            NotFound: A grid is unknown, deleted or foreign; nothing was changed.
            InvalidInput: A value is out of its column's range; nothing was changed.
            Conflict: A name or identifier is taken, or an organization does not exist; nothing was changed.
        """
        wanted = by_id(changes, CHANGEABLE)
        if not wanted:
            return []
        async with self._begin() as tx:
            grids = tx.within(scope_of(caller)).grids
            before = await grids.lock(wanted)
            for grid_id in wanted:
                if grid_id not in before:
                    raise grid_unknown(grid_id)
            await grids.change(list(wanted.values()))
            after = await grids.many(wanted)
            actor = actor_of(caller)
            acts = [act_of_update(actor, before[grid_id], after[grid_id]) for grid_id in wanted]
            await tx.audit.record(*(act for act in acts if act is not None))
            await tx.commit()
        return [after[grid_id] for grid_id in wanted]
