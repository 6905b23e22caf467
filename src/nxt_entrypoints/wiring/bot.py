"""The chat bot that hears of top-ups."""

from __future__ import annotations

from nxt_adapters.flowxo import FlowXoSettings, FlowXoTopUps
from nxt_entrypoints.settings.settings import Settings


def top_up_bot(settings: Settings) -> FlowXoTopUps | None:
    """Build the bot's client; None: top-ups are not announced in chats."""
    if not settings.artifact.integrations.telegram_topups.enabled:
        return None
    return FlowXoTopUps(
        FlowXoSettings(
            host=settings.text("FLOW_XO_API"),
            endpoint=settings.text("FLOW_XO_TOPUP_TOKEN_ENDPOINT"),
            response_path=settings.text("FLOW_XO_TOKEN_RESPONSE_PATH"),
        )
    )
