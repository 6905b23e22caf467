"""Stand-alone device messaging, as the API and jobs roles call it."""

from nxt_adapters.device_messaging.client import DEFAULT_POLICY, DeviceMessagingClient, DeviceMessagingSettings

__all__ = ["DEFAULT_POLICY", "DeviceMessagingClient", "DeviceMessagingSettings"]
