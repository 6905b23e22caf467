"""Whether a failed command may be sent again, and as what [MET-76, MET-95, MET-117]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from nxt_domain.meters.commands import CREDIT_CHANGES, RELAY_CONTROLS, TOKENS
from nxt_domain.meters.failures import prepended
from nxt_domain.meters.gatekeeper import Verdict
from nxt_domain.meters.model import (
    Interaction,
    InteractionFailure,
    InteractionStatus,
    InteractionType,
    VerificationState,
)

_T = InteractionType


def rivals_of(interaction: Interaction) -> frozenset[InteractionType]:
    """Name the kinds of commands that stand against a repetition, if they were made later."""
    if interaction.type in RELAY_CONTROLS:
        return RELAY_CONTROLS
    if interaction.type is _T.SET_POWER_LIMIT:
        return frozenset({_T.SET_POWER_LIMIT})
    if interaction.type is _T.CLEAR_CREDIT:
        return CREDIT_CHANGES
    return frozenset()


def why_not_again(
    interaction: Interaction,
    *,
    now: datetime,
    is_fenced: bool = False,
    later: Sequence[Interaction] = (),
) -> str | None:
    """Tell what stands against sending a command again; None: nothing does.

    A token is bound to its interaction: the same digits are sent, which a meter counts once [MET-76]. What has no token
    gets none here, since its vendor may have sold one already [MET-75].

    Args:
        interaction: As stored, its row locked, without a live message.
        now: Aware UTC.
        is_fenced: Whether an older ``CLEAR_CREDIT`` of the meter is unfinished [MET-117].
        later: The meter's later interactions of the kinds that ``rivals_of`` names.
    """
    if interaction.status is not InteractionStatus.FAILED:
        return _why_in_this_status(interaction)
    if interaction.expires_at is not None and interaction.expires_at <= now:
        return f"nobody waits for it any longer: it expired at {interaction.expires_at:%Y-%m-%d %H:%M:%S}"
    if interaction.type in TOKENS and interaction.token is None:
        return "it has no token, and a vendor that may have sold one is not asked again"
    if interaction.type is _T.TOP_UP and is_fenced:
        return f"an older {_T.CLEAR_CREDIT} of the meter is unfinished and would wipe it out; wait until that has ended"
    rival = next((each for each in later if _is_rival(interaction, each)), None)
    if rival is not None:
        return f"the later interaction {rival.id} ({rival.type}, {rival.status}) stands against it"
    return None


def _why_in_this_status(interaction: Interaction) -> str:
    match interaction.status:
        case InteractionStatus.SUCCESSFUL:
            return "it has reached its meter"
        case InteractionStatus.ABORTED:
            return f"it was withdrawn ({interaction.resolution or 'no resolution'}) and is not attempted any more"
        case InteractionStatus.PROCESSING if interaction.verification_state is VerificationState.VERIFYING:
            return "the meter may have it: its credit is being read, and decides"
        case InteractionStatus.QUEUED:
            return "it waits for its token, or behind an older command, and is handed over by itself"
        case InteractionStatus.SUSPENDED | InteractionStatus.DEFERRED:
            return f"it is {interaction.status} and goes on by itself once grid, gateway and meter are there"
        case _:
            return "its outcome is not known yet"


def _is_rival(interaction: Interaction, later: Interaction) -> bool:
    if interaction.type is not _T.CLEAR_CREDIT:
        return True
    # It would wipe out what was bought since: what has arrived, and what its buyer can key in [MET-117].
    return later.type is not _T.CLEAR_CREDIT and (
        later.status is InteractionStatus.SUCCESSFUL or later.token is not None
    )


def tried_again(interaction: Interaction, verdict: Verdict, now: datetime) -> Interaction:
    """Return a failed interaction on its way again, or where the gatekeeper wants it [MET-95]."""
    again = InteractionFailure(timestamp=now, status="DELIVERY_FAILED", reason="Retrying failed command", code="RETRY")
    records = (again,) if verdict.failure is None else (verdict.failure, again)
    return interaction.moved_to(
        verdict.status,
        attempts=interaction.attempts + 1,
        result=None,
        resolution=verdict.resolution,
        verification_state=None,
        delivery_failures=prepended(records, interaction.delivery_failures),
        updated_at=now,
    )
