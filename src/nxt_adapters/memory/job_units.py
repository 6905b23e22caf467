"""What jobs have done already, in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_domain.shared.job_units import BegunUnit, JobUnit
from nxt_domain.shared.json import JsonObject


@attrs.frozen(kw_only=True)
class UnitRow:
    """A unit and how far it is."""

    state: str
    result: JsonObject = attrs.field(factory=dict)
    last_error: str | None = None


class MemoryJobUnits:
    """Implements ``JobUnits``.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._rows: dict[JobUnit, UnitRow] = database.table("job_units")

    def state(self, unit: JobUnit) -> str | None:
        """Tell how far a unit is; None: nobody began."""
        row = self._rows.get(unit)
        return None if row is None else row.state

    async def begin(self, unit: JobUnit, result: JsonObject) -> None:
        """See ``JobUnits.begin``."""
        if self.state(unit) != "DONE":
            self._rows[unit] = UnitRow(state="RUNNING", result=result)

    async def begun(self, job: str) -> Sequence[BegunUnit]:
        """See ``JobUnits.begun``."""
        rows = self._rows.items()
        return [BegunUnit(key=key, result=row.result) for key, row in rows if (key.job, row.state) == (job, "RUNNING")]

    async def done(self, units: Collection[JobUnit]) -> Collection[JobUnit]:
        """See ``JobUnits.done``."""
        return {unit for unit in units if self.state(unit) == "DONE"}

    async def finish(self, unit: JobUnit) -> bool:
        """See ``JobUnits.finish``."""
        is_new = self.state(unit) != "DONE"
        self._rows[unit] = UnitRow(state="DONE")
        return is_new

    async def fail(self, unit: JobUnit, error: str) -> None:
        """See ``JobUnits.fail``."""
        if self.state(unit) != "DONE":
            self._rows[unit] = UnitRow(state="FAILED", last_error=error)
