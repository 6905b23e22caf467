"""Meters in memory, with what they last reported, their shadows and their history."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.grids import GatewayRow
from nxt_domain.meters.model import Meter, MeterObservation
from nxt_domain.meters.state_events import Actor, StateEvent, StateEventKind


@attrs.frozen(kw_only=True)
class Reported:
    """What a meter last reported, each value with its time."""

    is_on: bool | None = None
    is_on_at: datetime | None = None
    power_limit_at: datetime | None = None
    credit_kwh: Decimal | None = None
    credit_at: datetime | None = None
    balance: Decimal | None = None
    balance_at: datetime | None = None
    voltage_v: Decimal | None = None
    voltage_at: datetime | None = None
    power_kw: Decimal | None = None
    power_at: datetime | None = None
    snr: float | None = None
    rssi: float | None = None
    radio_at: datetime | None = None


@attrs.frozen(kw_only=True)
class MeterRow:
    """A meter and what it reported."""

    meter: Meter
    reported: Reported = Reported()
    is_deleted: bool = False


@attrs.frozen(kw_only=True)
class ShadowRow:
    """The reported half of a shadow: relay 1 or 0, power limit in W."""

    reported: int
    reported_at: datetime
    reported_by_id: int | None


class MemoryMeters:
    """Implements ``Meters``.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._meters: dict[int, MeterRow] = database.table("meters")
        self._shadows: dict[tuple[int, str], ShadowRow] = database.table("meter_shadows")
        self._gateways: dict[int, GatewayRow] = database.table("gateways")
        self._history = MemoryStateEvents(database)

    async def lock(self, meter_ids: Collection[int]) -> Mapping[int, Meter]:
        """See ``Meters.lock``; a memory transaction is alone anyway."""
        rows = {meter_id: self._meters.get(meter_id) for meter_id in sorted(set(meter_ids))}
        return {meter_id: self._seen_by(row.meter) for meter_id, row in rows.items() if row and not row.is_deleted}

    async def ids_of(self, numbers: Collection[str]) -> Mapping[str, int]:
        """See ``Meters.ids_of``."""
        live = (row.meter for row in self._meters.values() if not row.is_deleted)
        return {meter.external_reference: meter.id for meter in live if meter.external_reference in numbers}

    async def observe(self, observations: Sequence[MeterObservation]) -> None:
        """See ``Meters.observe``."""
        news: dict[int, list[MeterObservation]] = {}
        for observation in sorted(observations, key=lambda observation: observation.observed_at):
            news.setdefault(observation.meter_id, []).append(observation)
        for meter_id, told in news.items():
            row = self._meters[meter_id]
            await self._report(row, "relay", _newest(told, lambda o: o.relay_on is not None, row.reported.is_on_at))
            limit = _newest(told, lambda o: o.power_limit_w is not None, row.reported.power_limit_at)
            await self._report(row, "power_limit", limit)
            self._meters[meter_id] = _observed(row, told)

    async def _report(self, row: MeterRow, attribute: str, news: MeterObservation | None) -> None:
        if news is None:
            return
        value = int(news.relay_on or False) if attribute == "relay" else int(news.power_limit_w or 0)
        before = self._shadows.get((row.meter.id, attribute))
        if before is not None and before.reported_at > news.observed_at:
            return
        self._shadows[row.meter.id, attribute] = ShadowRow(
            reported=value, reported_at=news.observed_at, reported_by_id=news.interaction_id
        )
        if before is None or before.reported != value:
            change = StateEvent(
                meter_id=row.meter.id,
                event=StateEventKind.REPORTED_SET,
                actor=Actor.DEVICE,
                attribute=attribute,
                interaction_id=news.interaction_id,
                grid_id=row.meter.grid_id,
                data={"reported": value, "previous": None if before is None else before.reported},
            )
            await self._history.add([change])

    def know(self, meter: Meter, reported: Reported = Reported(), *, is_deleted: bool = False) -> None:
        """Set up or change a meter."""
        self._meters[meter.id] = MeterRow(meter=meter, reported=reported, is_deleted=is_deleted)

    def reported(self, meter_id: int) -> Reported:
        """Tell what a meter last reported."""
        return self._meters[meter_id].reported

    def shadow(self, meter_id: int, attribute: str) -> ShadowRow | None:
        """Tell the reported half of a shadow."""
        return self._shadows.get((meter_id, attribute))

    def _seen_by(self, meter: Meter) -> Meter:
        place = None if meter.dcu_id is None else self._gateways.get(meter.dcu_id)
        return meter if place is None else attrs.evolve(meter, dcu_external_reference=place.gateway.external_reference)


class MemoryStateEvents:
    """Implements ``StateEvents``."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._events: dict[int, StateEvent] = database.table("meter_state_events")

    async def add(self, events: Sequence[StateEvent]) -> None:
        """See ``StateEvents.add``."""
        for event in events:
            self._events[self._database.next_id("meter_state_events")] = event

    def all(self) -> Sequence[StateEvent]:
        """Return all events, oldest first."""
        return list(self._events.values())


def _newest(
    told: Sequence[MeterObservation], says: Callable[[MeterObservation], bool], known_at: datetime | None
) -> MeterObservation | None:
    """Find the newest observation that says something, unless what is stored is newer."""
    newest = next((observation for observation in reversed(told) if says(observation)), None)
    if newest is None or (known_at is not None and newest.observed_at < known_at):
        return None
    return newest


def _observed(row: MeterRow, told: Sequence[MeterObservation]) -> MeterRow:
    changes: dict[str, object] = {}
    meter, known = row.meter, row.reported
    if relay := _newest(told, lambda o: o.relay_on is not None, known.is_on_at):
        changes |= {"is_on": relay.relay_on, "is_on_at": relay.observed_at}
    if limit := _newest(told, lambda o: o.power_limit_w is not None, known.power_limit_at):
        changes |= {"power_limit_at": limit.observed_at}
        meter = attrs.evolve(meter, power_limit_w=limit.power_limit_w)
    if credit := _newest(told, lambda o: o.credit_kwh is not None, known.credit_at):
        changes |= {"credit_kwh": credit.credit_kwh, "credit_at": credit.observed_at}
        if credit.balance is not None:
            changes |= {"balance": credit.balance, "balance_at": credit.observed_at}
    if voltage := _newest(told, lambda o: o.voltage_v is not None, known.voltage_at):
        changes |= {"voltage_v": voltage.voltage_v, "voltage_at": voltage.observed_at}
    if power := _newest(told, lambda o: o.power_kw is not None, known.power_at):
        changes |= {"power_kw": power.power_kw, "power_at": power.observed_at}
    if radio := _newest(told, lambda o: o.snr is not None, known.radio_at):
        changes |= {"snr": radio.snr, "rssi": radio.rssi, "radio_at": radio.observed_at}
        meter = attrs.evolve(meter, dcu_id=radio.gateway_id or meter.dcu_id)
    if firmware := _newest(told, lambda o: o.version is not None, None):
        meter = attrs.evolve(meter, version=firmware.version)
    seen_at = max((o.observed_at for o in told if o.seen), default=None)
    if seen_at is not None and (meter.last_seen_at is None or meter.last_seen_at < seen_at):
        meter = attrs.evolve(meter, last_seen_at=seen_at)
    return attrs.evolve(row, meter=meter, reported=attrs.evolve(known, **changes))  # type: ignore[arg-type]  # by name
