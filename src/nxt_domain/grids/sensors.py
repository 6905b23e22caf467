"""What sensors of sites say through the LoRaWAN network server: energy meters and probes without commands [DM 18.5]."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

import attrs

from nxt_domain.shared.errors import NotFound
from nxt_domain.shared.json import Json, JsonObject, storable
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory


class PulseOutcome(StrEnum):
    """What became of a counter that a sensor told of the meter it stands at."""

    WRITTEN = "WRITTEN"
    TOO_SOON = "TOO_SOON"
    NO_METER = "NO_METER"
    NO_WALLET = "NO_WALLET"


class Sensors(Protocol):
    """Sensors by the network server's name, in the caller's transaction."""

    async def find(self, external_reference: str) -> int | None:
        """Tell the id of a sensor; None: unknown."""

    async def log(self, device_id: int, message: Json) -> None:
        """Keep what was posted, as JSON text."""

    async def keep_values(self, device_id: int, values: Json) -> None:
        """Replace the sensor's last values."""

    async def count(self, device_id: int, energy_kwh: Decimal) -> PulseOutcome:
        """Write a counter to the meter behind the sensor, at most every half hour; by the database's clock."""


class SensorsTransaction(UnitOfWork, Protocol):
    """One transaction over sensors."""

    @property
    def sensors(self) -> Sensors:
        """Sensors."""


@attrs.frozen(kw_only=True)
class SensorRow:
    """What the telemetry role is told of a sensor.

    Attributes:
        at: Aware UTC.
    """

    device_id: int
    at: datetime
    data: Json


@attrs.frozen(kw_only=True)
class Taken:
    """What became of a post.

    Attributes:
        row: For the telemetry role; None: it told nothing that could be passed on.
        pulses: What became of the counter; None: it told none.
    """

    device_id: int
    row: SensorRow | None = None
    pulses: PulseOutcome | None = None


class TakeSensorEvent:
    """Stores a sensor's post.

    Args:
        begin: Opens a transaction.
    """

    def __init__(self, begin: UnitOfWorkFactory[SensorsTransaction]) -> None:
        self._begin = begin

    async def acrel(self, body: Json) -> Taken:
        """Take an energy meter's post: log, last values, and the counter of the meter behind it [DM-187].

        Raises:
            NotFound: No such sensor.
        """
        data = _member(_member(body, "object"), "data")
        async with self._begin() as tx:
            device_id = await _known(tx, body)
            await tx.sensors.log(device_id, storable(body))
            pulses = None
            if data is not None:
                await tx.sensors.keep_values(device_id, data)
                energy_kwh = _number(_member(data, "EPa"))
                pulses = None if energy_kwh is None else await tx.sensors.count(device_id, energy_kwh)
            await tx.commit()
        return Taken(device_id=device_id, row=_row(device_id, body, data), pulses=pulses)

    async def milesight(self, body: Json) -> Taken:
        """Take a probe's post: log, and the whole decoded object for the telemetry role [DM-188].

        Raises:
            NotFound: No such sensor.
        """
        async with self._begin() as tx:
            device_id = await _known(tx, body)
            await tx.sensors.log(device_id, storable(body))
            await tx.commit()
        return Taken(device_id=device_id, row=_row(device_id, body, _member(body, "object")))


async def _known(tx: SensorsTransaction, body: Json) -> int:
    name = _member(_member(body, "deviceInfo"), "devEui")
    device_id = await tx.sensors.find(name) if isinstance(name, str) else None
    if device_id is None:
        raise NotFound("Could not find device", code="DEVICE_UNKNOWN")
    return device_id


def _row(device_id: int, body: Json, data: Json) -> SensorRow | None:
    at = _instant(_member(body, "time"))
    return None if data is None or at is None else SensorRow(device_id=device_id, at=at, data=data)


def _member(value: Json, name: str) -> Json:
    return storable(value.get(name)) if isinstance(value, Mapping) else None


def _number(value: Json) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = Decimal(str(value))
    return number if number.is_finite() else None


def _instant(value: Json) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if at is None:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def sink_body(row: SensorRow, moment: str) -> JsonObject:
    """Write what the telemetry role takes [DM-187, API-155]."""
    return {"device_id": row.device_id, "created_at": moment, "timestamp": moment, "data": row.data, "meta": {}}
