"""How sending fails, by what may follow [AUTO-85]."""

from __future__ import annotations

from nxt_domain.shared.errors import Unavailable, UpstreamFailed


class SmsRefused(UpstreamFailed):
    """The gateway said no, or gave no reference: final, and the text says why."""

    default_code = "SMS_REFUSED"


class SmsNotSent(Unavailable):
    """The message certainly did not reach the gateway: it may be tried again later."""

    default_code = "SMS_NOT_SENT"


class SmsFateUnknown(UpstreamFailed):
    """The gateway may have sent it: never tried again by itself, because a second message costs money."""

    default_code = "SMS_FATE_UNKNOWN"
