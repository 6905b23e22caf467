"""The automation platform: statements become documents and book entries, changes of grids are told."""

from __future__ import annotations

from nxt_adapters.make import MakeAccounting, MakeGridNews, MakeSettings
from nxt_entrypoints.settings.settings import Settings


def accounting_export(settings: Settings) -> MakeAccounting | None:
    """Build the automation platform's client; None: accounting is not exported."""
    if not settings.artifact.integrations.accounting_export.enabled:
        return None
    return MakeAccounting(
        MakeSettings(
            base_url=settings.text("MAKE_API_URL"),
            draft_hook=settings.text("MAKE_API_PAYOUT_FLOW_DRAFT_ID"),
            bookkeeping_hook=settings.text("MAKE_API_XERO_AUTO_PAYOUT_FLOW_ID"),
            token=settings.secret("MAKE_API_TOKEN").reveal,
        )
    )


def grid_news(settings: Settings) -> MakeGridNews | None:
    """Build the teller of grids' changes; None: there is no address, and nobody is told [REL-103]."""
    if not settings.has("MAKE_GRID_STATE_WEBHOOK_URL"):
        return None
    return MakeGridNews(settings.secret("MAKE_GRID_STATE_WEBHOOK_URL").reveal)
