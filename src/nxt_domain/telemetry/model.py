"""Words of the series: reports from meters, facts copied into rows, power readings from plants."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import attrs


class Flag(StrEnum):
    """What a counter reading turned out to be against its baseline [TEL-94]."""

    FIRST = "FIRST"
    OK = "OK"
    NOISE = "NOISE"
    RESET = "RESET"
    OUTLIER = "OUTLIER"
    REBASED = "REBASED"


class Quality(StrEnum):
    """How an hour's consumption came about (``meter_snapshot_1_h.consumption_quality``)."""

    MEASURED = "MEASURED"
    INTERPOLATED = "INTERPOLATED"
    RESET = "RESET"
    ASSUMED_ZERO = "ASSUMED_ZERO"
    MISSING = "MISSING"


class Source(StrEnum):
    """Where consumption came from (``meter_snapshot_1_h.consumption_source``)."""

    CALIN_V1 = "CALIN_V1"
    CALIN_V2 = "CALIN_V2"
    CALIN_LORAWAN = "CALIN_LORAWAN"
    BACKFILL = "BACKFILL"


class IgnoredReason(StrEnum):
    """Why a report was answered without being stored [TEL-179, TEL-182]."""

    METER_NOT_FOUND = "METER_NOT_FOUND"
    NO_CUSTOMER = "NO_CUSTOMER"
    NO_GRID = "NO_GRID"
    INVALID = "INVALID"


class Phase(StrEnum):
    """A phase of a plant's AC output."""

    L1 = "L1"
    L2 = "L2"
    L3 = "L3"


@attrs.frozen(kw_only=True)
class HourlyReport:
    """What a meter said about itself [TEL-178].

    Attributes:
        meter_id: ``meters.id``.
        created_at: Receipt time, aware.
        counter_kwh: Cumulative counter of source 1; None when missing or unusable [TEL-95].
        kwh_credit_available: Prepaid credit left, kWh.
        freeze_time: The meter's local time of the counter, ``YYYY-M-D H:m``.
    """

    meter_id: int
    created_at: datetime
    counter_kwh: float | None = None
    kwh_credit_available: float | None = None
    freeze_time: str | None = None


@attrs.frozen(kw_only=True)
class MeterFacts:
    """A meter as the relational store knows it now: the copies of TEL-67 and its state.

    Attributes:
        timezone: IANA name of the grid's zone.
        power_limit_w: Limit set on the meter, W; 0 = no limit.
        power_limit_should_be_w: Limit wanted, W.
        is_hidden_from_reporting: The customer's flag or the grid's.
    """

    meter_id: int
    meter_type: str
    meter_phase: str
    meter_external_reference: str
    meter_external_system: str
    is_cabin_meter: bool
    dcu_id: int | None
    dcu_external_reference: str | None
    dcu_external_system: str | None
    connection_id: int
    customer_id: int
    customer_full_name: str | None
    grid_id: int
    grid_name: str | None
    organization_id: int | None
    organization_name: str | None
    is_hidden_from_reporting: bool
    timezone: str
    power_limit_w: int | None
    power_limit_should_be_w: int | None
    is_on: bool | None
    should_be_on: bool | None

    @property
    def power_limit_kw(self) -> float | None:
        """Limit set on the meter, kW [TEL-87]."""
        return None if self.power_limit_w is None else self.power_limit_w / 1000

    @property
    def power_limit_kw_should_be(self) -> float | None:
        """Limit wanted, kW [TEL-87]."""
        return None if self.power_limit_should_be_w is None else self.power_limit_should_be_w / 1000


@attrs.frozen(kw_only=True)
class IgnoredReport:
    """A report that was answered without being stored.

    Attributes:
        index: Its place in the batch, from 0.
    """

    index: int
    reason: IgnoredReason


@attrs.frozen(kw_only=True)
class RecordedReports:
    """Outcome of a batch; all accepted readings are durable [TEL-182].

    Attributes:
        accepted: How many were taken, those that were known already included [TEL-86].
        ignored: The others, by place in the batch.
    """

    accepted: int
    ignored: tuple[IgnoredReport, ...] = ()


@attrs.frozen(kw_only=True)
class GatewayGrid:
    """A grid whose plant has a gateway, with the settings of its twin [TEL-152].

    Attributes:
        portal_id: ``grids.generation_external_gateway_id``.
        is_hps_on: Energised, as stored.
        threshold_kw: Power from which the grid counts as energised, kW.
    """

    grid_id: int
    portal_id: str
    is_three_phase_supported: bool
    is_hps_on: bool
    threshold_kw: float


@attrs.frozen(kw_only=True)
class PowerReading:
    """AC output of one phase of a plant.

    Attributes:
        portal_id: Id of the plant's gateway.
        power_w: Active power, W; None: the plant says that it does not know.
    """

    portal_id: str
    phase: Phase
    power_w: float | None
