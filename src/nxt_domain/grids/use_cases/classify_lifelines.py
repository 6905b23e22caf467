"""Classifies connections by their use, once a day (PAY 18)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

import attrs

from nxt_domain.grids.lifeline import LifelineGrid
from nxt_domain.shared.alerts import alert
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import DomainError
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory


class Lifelines(Protocol):
    """Connections as the classification needs them."""

    async def grids(self) -> Sequence[LifelineGrid]:
        """List live, reported grids."""

    async def connections(self, grid_id: int) -> Collection[int]:
        """List a grid's live connections whose customers are live and reported [PAY-187]."""

    async def classify(self, verdicts: Mapping[int, bool]) -> int:
        """Write verdicts by connection; return how many changed."""


class ConnectionUse(Protocol):
    """What connections used, from the series."""

    async def totals_kwh(
        self, connection_ids: Collection[int], start: datetime, end: datetime
    ) -> Mapping[int, Decimal]:
        """Add up the believable hourly values of a half-open span; who has none is left out.

        Raises:
            Unavailable: The series store can't be reached.
        """


class LifelineTransaction(UnitOfWork, Protocol):
    """One transaction over the classification."""

    @property
    def lifelines(self) -> Lifelines:
        """Connections."""


@attrs.frozen(kw_only=True)
class Classified:
    """What a run did."""

    changed: int = 0
    failed_grids: int = 0


class ClassifyLifelines:
    """Goes grid by grid; one that fails keeps its values, and holds up no other [PAY-190].

    Args:
        begin: Opens a transaction.
        use: What connections used.
        clock: Present time.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[LifelineTransaction], use: ConnectionUse, clock: Clock) -> None:
        self._begin = begin
        self._use = use
        self._clock = clock

    async def __call__(self) -> Classified:
        """Classify all connections of reported grids."""
        now = self._clock.now()
        async with self._begin() as tx:
            grids = await tx.lifelines.grids()
        changed, failed = 0, 0
        for grid in grids:
            try:
                changed += await self._classify(grid, now)
            except DomainError as error:
                failed += 1
                await self._tell(grid, error, now)
        return Classified(changed=changed, failed_grids=failed)

    async def _classify(self, grid: LifelineGrid, now: datetime) -> int:
        async with self._begin() as tx:
            connections = await tx.lifelines.connections(grid.id)
        used_kwh = await self._use.totals_kwh(connections, *grid.window(now))
        async with self._begin() as tx:
            changed = await tx.lifelines.classify({one: grid.is_lifeline(used_kwh.get(one)) for one in connections})
            await tx.commit()
        return changed

    async def _tell(self, grid: LifelineGrid, error: DomainError, now: datetime) -> None:
        text, facts = "a grid's connections could not be classified", {"grid_id": grid.id, "reason": str(error)}
        async with self._begin() as tx:
            await tx.outbox.add([alert("LIFELINES_NOT_CLASSIFIED", f"grid:{grid.id}", text, at=now, facts=facts)])
            await tx.commit()
