"""What the ChirpStack adapter needs from outside, and how patiently it calls."""

from __future__ import annotations

import re
from collections.abc import Callable

import attrs

from nxt_adapters.resilience import BreakerPolicy, CallPolicy, RetryPolicy
from nxt_domain.shared.errors import InvalidInput

PLUGIN_ID = "calin-chirpstack"

DEFAULT_POLICY = CallPolicy(
    timeout_s=60.0,
    concurrency=64,
    queue_timeout_s=30.0,
    retry=RetryPolicy(attempts=2, wait_initial_s=0.3, wait_max_s=5.0, jitter_s=0.5),
    breaker=BreakerPolicy(failures=10, open_s=10.0),
)
"""60 s per call [DM-45, DM-92]. The circuit reopens soon, since the engine's own ladder is the patient part."""

REGISTRATION_RETRY = RetryPolicy(attempts=4, wait_initial_s=2.0, wait_max_s=8.0, jitter_s=0.5)
"""Three repeats after 2, 4 and 8 s [MET-166]."""

GATEWAY_LIST_RETRY = RetryPolicy(attempts=2, wait_initial_s=0.3, wait_max_s=1.0, jitter_s=0.5)
GATEWAY_LIST_TIMEOUT_S = 10.0
"""One repeat, 10 s per page [TEL-58]."""

_TARGET = re.compile(r"[A-Za-z0-9._-]+:[0-9]{1,5}|\[[0-9A-Fa-f:.]+\]:[0-9]{1,5}", re.ASCII)


@attrs.frozen(kw_only=True)
class ChirpStackSettings:
    """Address, secrets and limits of one ChirpStack.

    Attributes:
        api_url: ``CHIRPSTACK_API_URL``, ``host:port`` of the gRPC interface.
        api_token: Gives ``CHIRPSTACK_API_TOKEN``; asked at every call, so that the token can change meanwhile.
        is_tls: ``CHIRPSTACK_API_TLS``.
        root_certificates: PEM, for a private authority; None: the system's.
        policy: Limits of calls.
        registration_retry: Repeats of provisioning calls, instead of the policy's.

    Raises:
        InvalidInput: The address is not ``host:port``.
    """

    api_url: str
    api_token: Callable[[], str] = attrs.field(repr=False)
    is_tls: bool = False
    root_certificates: bytes | None = attrs.field(default=None, repr=False)
    policy: CallPolicy = DEFAULT_POLICY
    registration_retry: RetryPolicy = REGISTRATION_RETRY

    def __attrs_post_init__(self) -> None:
        if not _TARGET.fullmatch(self.api_url):
            raise InvalidInput("CHIRPSTACK_API_URL must be host:port", code="CONFIGURATION")


@attrs.frozen(kw_only=True)
class RegistrationSettings:
    """Where new meters belong.

    Attributes:
        application_id: ``CHIRPSTACK_APPLICATION_ID``.
        profile_id: ``CHIRPSTACK_PROFILE_ID``.
        app_key: Gives ``CHIRPSTACK_APP_KEY``, 32 hexadecimal digits.
    """

    application_id: str
    profile_id: str
    app_key: Callable[[], str] = attrs.field(repr=False)


def is_switched_on(value: str | None) -> bool:
    """Read ``CHIRPSTACK_API_TLS``: ``true`` or ``1`` [DM-92]."""
    return (value or "").strip().lower() in {"true", "1"}
