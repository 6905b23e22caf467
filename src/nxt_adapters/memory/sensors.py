"""Sensors in memory."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_domain.grids.sensors import PulseOutcome
from nxt_domain.shared.json import Json

_PAUSE = timedelta(minutes=30)


@attrs.frozen(kw_only=True)
class SensorState:
    """A sensor, and the meter behind it.

    Attributes:
        has_wallet: Whether the customer of the meter has one.
    """

    id: int
    has_meter: bool = False
    has_wallet: bool = False
    values: Json = None
    log: tuple[Json, ...] = ()
    pulse_counter_kwh: Decimal | None = None
    counted_at: datetime | None = None


class MemorySensors:
    """Implements ``Sensors``.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._clock = database.clock
        self._rows: dict[str, SensorState] = database.table("devices")

    def know(self, external_reference: str, state: SensorState) -> None:
        """Add a sensor."""
        self._rows[external_reference] = state

    async def find(self, external_reference: str) -> int | None:
        """See ``Sensors.find``."""
        row = self._rows.get(external_reference)
        return None if row is None else row.id

    async def log(self, device_id: int, message: Json) -> None:
        """See ``Sensors.log``."""
        name, row = self._of(device_id)
        self._rows[name] = attrs.evolve(row, log=(*row.log, message))

    async def keep_values(self, device_id: int, values: Json) -> None:
        """See ``Sensors.keep_values``."""
        name, row = self._of(device_id)
        self._rows[name] = attrs.evolve(row, values=values)

    async def count(self, device_id: int, energy_kwh: Decimal) -> PulseOutcome:
        """See ``Sensors.count``."""
        name, row = self._of(device_id)
        if not row.has_meter:
            return PulseOutcome.NO_METER
        if not row.has_wallet:
            return PulseOutcome.NO_WALLET
        now = self._clock.now()
        if row.counted_at is not None and row.counted_at >= now - _PAUSE:
            return PulseOutcome.TOO_SOON
        self._rows[name] = attrs.evolve(row, pulse_counter_kwh=energy_kwh, counted_at=now)
        return PulseOutcome.WRITTEN

    def _of(self, device_id: int) -> tuple[str, SensorState]:
        return next((name, row) for name, row in self._rows.items() if row.id == device_id)
