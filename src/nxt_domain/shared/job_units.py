"""What a job has done already: one row for each unit of its work and period [AUTO-9, REL-169]."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import attrs

from nxt_domain.shared.json import JsonObject


@attrs.frozen(kw_only=True)
class JobUnit:
    """A unit of work.

    Attributes:
        job: The job's name.
        period: What it is done for once, e.g. ``2026-01`` or ``2026-W11``.
        unit: E.g. ``grid:70``.
    """

    job: str
    period: str
    unit: str


@attrs.frozen(kw_only=True)
class BegunUnit:
    """A unit of which the first half is done.

    Attributes:
        result: What that half left for the second.
    """

    key: JobUnit
    result: JsonObject


class JobUnits(Protocol):
    """Units of jobs, in the caller's transaction: they are done exactly if it commits."""

    async def begin(self, unit: JobUnit, result: JsonObject) -> None:
        """Note that the first half of a unit is done; one that is finished stays so."""

    async def begun(self, job: str) -> Sequence[BegunUnit]:
        """List and lock a job's units that wait for their second half, oldest first."""

    async def done(self, units: Collection[JobUnit]) -> Collection[JobUnit]:
        """Tell which of some units are done."""

    async def finish(self, unit: JobUnit) -> bool:
        """Note that a unit is done; False: it was before, and must not be done again.

        A second transaction that finishes the same unit waits here for the first one's end.
        """

    async def fail(self, unit: JobUnit, error: str) -> None:
        """Note that a unit could not be done; one that is finished stays so."""
