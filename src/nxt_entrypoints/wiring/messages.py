"""Text messages' adapter."""

from __future__ import annotations

from nxt_adapters.africastalking.sms import AfricasTalkingSettings, AfricasTalkingSms
from nxt_entrypoints.settings.settings import Settings


def sms(settings: Settings) -> AfricasTalkingSms:
    """Build the SMS gateway's client."""
    return AfricasTalkingSms(
        AfricasTalkingSettings(
            username=settings.text("AFRICASTALKING_USERNAME"),
            api_key=settings.secret("AFRICASTALKING_API_KEY").reveal,
            sender_id=settings.text_or_none("AFRICASTALKING_SENDER_ID") or "",
            brand_prefix=settings.text_or_none("SMS_BRAND_PREFIX") or "",
            api_url=settings.text_or_none("AFRICASTALKING_API_URL") or "",
        )
    )


def is_configured(settings: Settings) -> bool:
    """Whether the artifact enables text messages."""
    notifications = settings.artifact.capabilities.notifications
    return notifications.enabled and any(channel.provider == "sms-africastalking" for channel in notifications.channels)
