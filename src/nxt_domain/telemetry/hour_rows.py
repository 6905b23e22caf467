"""From a revision to the hourly rows that it writes (section 7.4)."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from nxt_domain.telemetry.classification import classify
from nxt_domain.telemetry.columns import (
    BoolColumn,
    FloatColumn,
    HourColumns,
    ReadingColumns,
    from_column_time,
    group_ends,
    group_starts,
)
from nxt_domain.telemetry.hourly import HourStates, hourly_energy, segments_of
from nxt_domain.telemetry.revision import Revision


def hour_rows(
    revision: Revision, exists: BoolColumn, stored_limit_kw: FloatColumn, present_limit_kw: FloatColumn
) -> HourColumns:
    """Work out the rows of a revision's hours [TEL-87, TEL-89, TEL-90].

    Args:
        revision: One page of readings, judged.
        exists: Which of its hours have a row already.
        stored_limit_kw: ``power_limit_kw`` of those rows; NaN = unknown.
        present_limit_kw: Limit on the meter now, for each hour.

    Returns:
        Rows of hours that are complete, hold a new report, or were there before. Consumption is classified by the
        row's own limit, and by the meter's present one when the row has none (as in TEL-82).
    """
    energy = hourly_energy(segments_of(revision.readings), revision.hours)
    counter, credit = HourStates.of(ReadingColumns.concat([revision.readings, revision.credits])).at(revision.hours)
    takes_present = np.isnan(stored_limit_kw) | (revision.is_reported & ~np.isnan(present_limit_kw))
    services = classify(energy.consumption_kwh, np.where(takes_present, present_limit_kw, stored_limit_kw))
    rows = HourColumns(
        meter_id=revision.hours.meter_id,
        created_at=revision.hours.hour,
        is_revised=revision.is_revised,
        is_reported=revision.is_reported,
        consumption_kwh=energy.consumption_kwh,
        consumption_quality=energy.quality,
        is_fs_consumption=services.is_fs,
        is_hps_consumption=services.is_hps,
        counter_kwh=counter,
        kwh_credit_available=credit,
    )
    return rows.take((revision.is_revised & energy.is_complete) | revision.is_reported | exists)


def newest_non_zero(rows: HourColumns) -> dict[int, datetime]:
    """Return each meter's newest complete hour with consumption above 0 [TEL-92]; rows are sorted by meter and hour."""
    used = rows.take(rows.is_revised & (np.nan_to_num(rows.consumption_kwh) > 0))
    last = used.take(group_ends(group_starts(used.meter_id), len(used)))
    return {int(m): from_column_time(h) for m, h in zip(last.meter_id, last.created_at, strict=True)}
