"""What the series need from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from nxt_domain.telemetry.columns import (
    BoolColumn,
    ConsumptionColumns,
    FloatColumn,
    HourColumns,
    MeterHours,
    ReadingColumns,
)
from nxt_domain.telemetry.model import GatewayGrid, IgnoredReason, MeterFacts, PowerReading
from nxt_domain.telemetry.revision import Plan


class RecordingSession(Protocol):
    """One transaction of the series store in which some meters are this caller's alone."""

    async def window(self, plan: Plan) -> ReadingColumns:
        """Load the stored readings that a revision needs, sorted by meter and time.

        For each meter of the plan, with A its last good (not ``OUTLIER``) reading before ``since``:

        - from the last good reading at or before the start of A's hour: all good readings up to ``since``;
        - the outliers before ``since`` in A's hour and in the hour of ``since``, and the reading just before ``since``;
        - the first ``PAGE_ROWS`` readings from ``since`` on.
        """

    async def power_limits(self, hours: MeterHours) -> tuple[BoolColumn, FloatColumn]:
        """Return which hours have a row, and the rows' ``power_limit_kw`` (NaN = unknown), in the order asked."""

    async def upsert_readings(self, readings: ReadingColumns) -> None:
        """Insert readings; where one exists, set its judgement (source ``CALIN_LORAWAN``)."""

    async def upsert_hours(self, hours: HourColumns, facts: Mapping[int, MeterFacts]) -> None:
        """Insert or update rows of ``meter_snapshot_1_h``.

        Copies are filled where they are NULL and never changed [TEL-17]. ``counter_kwh``, ``kwh_credit_available`` and,
        in reported hours, the meter's state are set where they are known [TEL-33]. In revised hours the consumption,
        its source, quality and classification are set, unknown ones too; but an unknown consumption never replaces a
        value of another source.

        Args:
            hours: At most one row for each meter and hour counts; see ``Columns.merge_duplicates``.
            facts: Facts of every meter in ``hours``.
        """


class SeriesStore(Protocol):
    """Series of meters: raw readings and hourly rows."""

    def recording(self, meter_ids: Sequence[int]) -> AbstractAsyncContextManager[RecordingSession]:
        """Open a transaction that holds these meters until its end, against every process [TEL-93].

        Leaving the block commits; an error rolls back. Meters are taken in ascending order, so callers never deadlock.

        Raises:
            Unavailable: The store can't be reached; nothing was stored.
        """

    async def refresh_aggregates(self, start: datetime, end: datetime) -> None:
        """Bring the aggregates over hourly rows up to date for a past range [TEL-25].

        Args:
            start: Aware begin.
            end: Aware end.
        """

    async def consumption(self, meter_ids: Sequence[int], start: datetime, end: datetime) -> ConsumptionColumns:
        """Return the hourly rows of meters, ordered by time and meter; imported NaN counts as unknown [TEL-14].

        Args:
            meter_ids: At most 1,000.
            start: First hour, aware.
            end: Hour after the last one, aware; at most 366 days later.

        Raises:
            InvalidInput: Too many meters or days.
            Unavailable: The store can't be reached.
        """


class MeterRegister(Protocol):
    """Meters as the relational store knows them."""

    async def facts(self, meter_ids: Sequence[int]) -> Mapping[int, MeterFacts | IgnoredReason]:
        """Return the facts of each meter, or why it takes no reports [TEL-179].

        Args:
            meter_ids: Distinct ids.

        Returns:
            One entry for each id: ``METER_NOT_FOUND`` (absent or deleted), ``NO_CUSTOMER`` (no connection, customer or
            account) or ``NO_GRID`` in place of the facts.

        Raises:
            Unavailable: The store can't be reached.
        """

    async def raise_last_non_zero_consumption(self, hours: Mapping[int, datetime]) -> None:
        """Raise ``meters.last_non_zero_consumption_at``; it never moves back [TEL-83, TEL-92].

        Args:
            hours: Start of the newest hour with consumption, aware, by meter id.

        Raises:
            Unavailable: The store can't be reached; nothing was changed.
        """


class GridState(Protocol):
    """Live facts of grids in the relational store."""

    async def gateway_grids(self) -> Sequence[GatewayGrid]:
        """Return all gateway grids (section 6): live, ``VICTRON``, with a gateway id.

        Raises:
            Unavailable: The store can't be reached.
        """

    async def set_energised(self, grid_id: int, *, is_hps_on: bool, at: datetime) -> bool:
        """Write ``is_hps_on`` and its time where the stored value differs [TEL-157].

        Returns:
            Whether a row changed.

        Raises:
            Unavailable: The store can't be reached; nothing was changed.
        """


class PlantMonitor(Protocol):
    """Live power of plants, by the ids of their gateways."""

    async def watch(self, portal_ids: Collection[str]) -> None:
        """Make this the set of gateways to follow: new ones are subscribed, absent ones dropped [TEL-152].

        Returns at once; brokers that can't be reached are tried for ever [TEL-153].
        """

    def readings(self) -> AsyncIterator[PowerReading]:
        """Yield power readings as they come, until the monitor is stopped."""

    async def stop(self) -> None:
        """Leave all brokers and end ``readings``; a stopped monitor stays stopped."""
