"""The data keys that secrets at rest are sealed with."""

from __future__ import annotations

from nxt_adapters.system.secret_box import AesGcmBox
from nxt_entrypoints.settings.settings import Settings


def secret_box(settings: Settings) -> AesGcmBox:
    """Take the data keys from ``NXT_SECRETS_KEYS``, newest first (R15)."""
    return AesGcmBox(",".join(settings.names("NXT_SECRETS_KEYS")))
