"""Pace and patience, from a document's words to the domain's; both modes of messaging read the same keys [R28]."""

from __future__ import annotations

import attrs

from nxt_domain.messaging.retry import RetryPolicy
from nxt_domain.messaging.tuning import DeliveryPolicy, Tuning
from nxt_entrypoints.settings import artifact


def tuning_of(given: artifact.Tuning) -> Tuning:
    """Read the tuning of one plug-in; what is unset is the plug-in's own."""
    return Tuning(**{name: value for name, value in attrs.asdict(given).items() if value is not None})


def policy_of(given: artifact.Delivery) -> DeliveryPolicy:
    """Read what holds for messages of all plug-ins."""
    return DeliveryPolicy(
        retry=RetryPolicy(
            max_retries=given.max_retries,
            base_delay_ms=given.retry_base_delay_ms,
            multiplier=given.retry_backoff_multiplier,
            max_delay_ms=given.retry_max_delay_ms,
        ),
        message_ttl_s=given.message_ttl_seconds,
        archive_days=given.archive_days,
    )
