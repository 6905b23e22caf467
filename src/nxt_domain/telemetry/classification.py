"""Which service an hour's consumption belongs to (section 7.6)."""

from __future__ import annotations

import attrs
import numpy as np

from nxt_domain.telemetry.columns import BoolColumn, FloatColumn

HPS_LIMIT_KW = 0.2
_SAME_LIMIT_KW = 1e-9


@attrs.frozen(kw_only=True, eq=False)
class Services:
    """Services that an hour's consumption counts for; false is stored as NULL, never as false."""

    is_hps: BoolColumn
    is_fs: BoolColumn


def classify(consumption_kwh: FloatColumn, power_limit_kw: FloatColumn) -> Services:
    """Classify hours by consumption and power limit [TEL-96].

    Args:
        consumption_kwh: Energy of the hour; NaN = unknown.
        power_limit_kw: Limit on the meter; NaN counts as 0, which means no limit.
    """
    limit = np.nan_to_num(power_limit_kw, nan=0.0)
    is_known = ~np.isnan(consumption_kwh)
    is_essential = np.abs(limit - HPS_LIMIT_KW) <= _SAME_LIMIT_KW
    with np.errstate(invalid="ignore"):
        reaches_limit = consumption_kwh >= limit
    return Services(is_hps=is_known & (is_essential | ~reaches_limit), is_fs=is_known & ~is_essential)
