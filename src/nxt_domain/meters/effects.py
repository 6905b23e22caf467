"""What an answer proves of its meter [MET-83]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal

import attrs

from nxt_domain.grids.tariffs import credit_value
from nxt_domain.meters.model import Interaction, InteractionType, Meter, MeterObservation
from nxt_domain.shared.json import Json, JsonObject

_T = InteractionType


def observed(interaction: Interaction, meter: Meter, at: datetime) -> MeterObservation:
    """Derive the observation of a ``SUCCESSFUL`` interaction.

    Args:
        interaction: With its result.
        meter: Its meter; the tariff turns credit into money.
        at: Time of the event, aware UTC.
    """
    seen = MeterObservation(meter_id=meter.id, observed_at=at, interaction_id=interaction.id, seen=True)
    reader = _READERS.get(interaction.type)
    return seen if reader is None else reader(seen, interaction.result or {}, interaction, meter)


def balance_of(credit_kwh: Decimal | None, meter: Meter) -> Decimal | None:
    """Value a credit in money: round(kWh × tariff, 2); None without credit, tariff or connection [MET-91]."""
    if credit_kwh is None or not meter.tariff or meter.connection_id is None:
        return None
    return credit_value(credit_kwh, meter.tariff)


def number_of(value: Json) -> Decimal | None:
    """Read a number of a device's answer; None: it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = Decimal(str(value))
    return number if number.is_finite() else None


def _integer(value: Json) -> int | None:
    number = number_of(value)
    return None if number is None else int(number)


def _boolean(value: Json) -> bool | None:
    return value if isinstance(value, bool) else None


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def _relay(seen: MeterObservation, _result: JsonObject, interaction: Interaction, _meter: Meter) -> MeterObservation:
    return attrs.evolve(seen, relay_on=interaction.type is _T.TURN_ON)


def _new_limit(
    seen: MeterObservation, _result: JsonObject, interaction: Interaction, _meter: Meter
) -> MeterObservation:
    return attrs.evolve(seen, power_limit_w=interaction.target_power_limit_w)


def _limit(seen: MeterObservation, result: JsonObject, _interaction: Interaction, _meter: Meter) -> MeterObservation:
    return attrs.evolve(seen, power_limit_w=_integer(result.get("power_limit")))


def _version(seen: MeterObservation, result: JsonObject, _interaction: Interaction, _meter: Meter) -> MeterObservation:
    return attrs.evolve(seen, version=_text(result.get("version")))


def _credit(seen: MeterObservation, result: JsonObject, _interaction: Interaction, meter: Meter) -> MeterObservation:
    credit = number_of(result.get("kwh_credit_available"))
    return attrs.evolve(
        seen, credit_kwh=credit, balance=balance_of(credit, meter), relay_on=_boolean(result.get("is_on"))
    )


def _report(seen: MeterObservation, result: JsonObject, _interaction: Interaction, meter: Meter) -> MeterObservation:
    credit = number_of(result.get("purchase_remain_source_1"))
    status = result.get("meter_status")
    relay_open = _boolean(status.get("relay_open")) if isinstance(status, Mapping) else None
    return attrs.evolve(
        seen,
        credit_kwh=credit,
        balance=balance_of(credit, meter),
        relay_on=None if relay_open is None else not relay_open,
    )


def _voltage(seen: MeterObservation, result: JsonObject, _interaction: Interaction, _meter: Meter) -> MeterObservation:
    return attrs.evolve(seen, voltage_v=number_of(result.get("voltage")))


def _power(seen: MeterObservation, result: JsonObject, _interaction: Interaction, _meter: Meter) -> MeterObservation:
    power_w = number_of(result.get("power"))
    return attrs.evolve(seen, power_kw=None if power_w is None else power_w / 1000)


_Reader = Callable[[MeterObservation, JsonObject, Interaction, Meter], MeterObservation]
_READERS: dict[InteractionType, _Reader] = {
    _T.TURN_ON: _relay,
    _T.TURN_OFF: _relay,
    _T.SET_POWER_LIMIT: _new_limit,
    _T.READ_POWER_LIMIT: _limit,
    _T.READ_VERSION: _version,
    _T.READ_CREDIT: _credit,
    _T.READ_REPORT: _report,
    _T.READ_VOLTAGE: _voltage,
    _T.READ_POWER: _power,
}
