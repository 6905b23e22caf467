"""Jobs over both planes as the product's own container builds them."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.support.wired import wired

from nxt_adapters.memory.database import MemoryClock
from nxt_domain.grids.use_cases.classify_lifelines import Classified
from nxt_domain.orders.use_cases.generate_payouts import Generated
from nxt_domain.orders.use_cases.report_revenue import Reported


async def test_reports_run_over_the_stores(relational_url: str, series_url: str) -> None:
    """[PAY-162] [PAY-174] [PAY-187] On stores without grids there is nothing to do, and nothing fails."""
    async with wired(relational_url=relational_url, series_url=series_url) as container:
        container.clock.override(MemoryClock(datetime(2026, 3, 1, 6, tzinfo=UTC)))
        await container.series_pool().open(wait=True)
        assert await container.reports().classify_lifelines()() == Classified()
        assert await container.reports().generate_payouts()() == Generated()
        assert await container.reports().report_revenue()() == Reported()
        await container.series_pool().close()
