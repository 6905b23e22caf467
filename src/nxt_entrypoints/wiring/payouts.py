"""Where documents of statements are made."""

from __future__ import annotations

from nxt_adapters.make import MakeDrafts, MakeSettings
from nxt_entrypoints.settings.settings import Settings


def drafts(settings: Settings) -> MakeDrafts | None:
    """Build the automation platform's client; None: accounting is not exported."""
    if not settings.artifact.integrations.accounting_export.enabled:
        return None
    return MakeDrafts(
        MakeSettings(
            base_url=settings.text("MAKE_API_URL"),
            draft_hook=settings.text("MAKE_API_PAYOUT_FLOW_DRAFT_ID"),
            token=settings.secret("MAKE_API_TOKEN").reveal,
        )
    )
