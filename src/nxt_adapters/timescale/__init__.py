"""Series store on TimescaleDB, or on plain PostgreSQL with the same tables."""

from nxt_adapters.timescale.pool import SeriesPool, create_series_pool
from nxt_adapters.timescale.retention import apply_retention
from nxt_adapters.timescale.series_store import TimescaleSeriesStore

__all__ = ["SeriesPool", "TimescaleSeriesStore", "apply_retention", "create_series_pool"]
