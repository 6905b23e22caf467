"""Africa's Talking: text messages."""

from nxt_adapters.africastalking.sms import (
    DEFAULT_POLICY,
    LIVE_API_URL,
    SANDBOX_API_URL,
    AfricasTalkingSettings,
    AfricasTalkingSms,
)

__all__ = [
    "DEFAULT_POLICY",
    "LIVE_API_URL",
    "SANDBOX_API_URL",
    "AfricasTalkingSettings",
    "AfricasTalkingSms",
]
