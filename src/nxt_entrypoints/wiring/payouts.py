"""Where statements become documents and book entries."""

from __future__ import annotations

from nxt_adapters.make import MakeAccounting, MakeSettings
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
