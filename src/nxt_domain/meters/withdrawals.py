"""When a command may be taken back, and what becomes of its interaction [MET-97, DM-65]."""

from __future__ import annotations

from datetime import datetime

from nxt_domain.messaging.model import CancelResult
from nxt_domain.meters.failures import prepended
from nxt_domain.meters.model import Interaction, InteractionFailure, InteractionStatus, Resolution

_WAITING = frozenset({InteractionStatus.QUEUED, InteractionStatus.SUSPENDED, InteractionStatus.DEFERRED})


def is_withdrawn(interaction: Interaction, result: CancelResult) -> bool:
    """Whether nothing is under way any more: a waiting one may have no message, another had its taken back."""
    if interaction.status in _WAITING:
        return result is not CancelResult.NOT_CANCELLABLE
    return interaction.status is InteractionStatus.PROCESSING and result is CancelResult.CANCELLED


def withdrawn(interaction: Interaction, now: datetime, *, reason: str, code: str) -> Interaction:
    """Return an interaction that will not be attempted."""
    record = InteractionFailure(timestamp=now, status=interaction.status, reason=reason, code=code, is_final=True)
    return interaction.moved_to(
        InteractionStatus.ABORTED,
        resolution=Resolution.CANCELLED,
        delivery_failures=prepended([record], interaction.delivery_failures),
        updated_at=now,
    )
