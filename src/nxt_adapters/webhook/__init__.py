"""The adopter's webhook, to which the stand-alone mode posts its events."""

from nxt_adapters.webhook.receiver import WebhookReceiver, WebhookSettings

__all__ = ["WebhookReceiver", "WebhookSettings"]
