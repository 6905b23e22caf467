"""Pace and patience of each plug-in, and the rules that hold for all of them [DM 16]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import attrs

from nxt_domain.messaging.admission import Admission
from nxt_domain.messaging.retry import RetryPolicy
from nxt_domain.messaging.stages import Pipeline, Stage

SPACING_DEFAULT_MS = 2_000
IN_FLIGHT_DEFAULT = 5
POLL_LADDER_MS = (10_000, 15_000, 20_000, 30_000)
POLLS_PER_RUNG = 2

TASK_AGE_LIMIT = timedelta(hours=48)
"""A vendor task that has no result by then never will have one [DM-47]."""

RECHECK_WAIT = timedelta(seconds=60)
"""Pause after a question to the network server that could not be answered [DM-33]."""

_EXPIRY_MARGIN_S = 3_600
_SHORT_TTL_S = 7_200

_positive = attrs.validators.gt(0)


def _ladder(waits_ms: Sequence[int] | None) -> Sequence[int]:
    return POLL_LADDER_MS if waits_ms is None else tuple(waits_ms)


@attrs.frozen(kw_only=True)
class Tuning:
    """Waits of one plug-in in milliseconds [DM-166], and what R9 adds.

    Attributes:
        min_interval_ms: None: the pipeline's own, 2000 for push and none for pull.
        max_in_flight: None: the pipeline's own, none for push and 5 for pull.
        poll_ladder_ms: Waits between polls, the last for ever; each of the others serves for a span of a message's age
            that is twice as long as itself. None: the default.
    """

    ns_in_flight_timeout_ms: int = attrs.field(default=20_000, validator=_positive)
    relay_node_in_flight_timeout_ms: int = attrs.field(default=900_000, validator=_positive)
    device_in_flight_timeout_ms: int = attrs.field(default=12_000, validator=_positive)
    initial_poll_delay_ms: int = attrs.field(default=10_000, validator=_positive)
    min_interval_ms: int | None = None
    max_in_flight: int | None = None
    poll_ladder_ms: Sequence[int] = attrs.field(
        default=POLL_LADDER_MS,
        converter=_ladder,
        validator=attrs.validators.min_len(1),
    )


@attrs.frozen(kw_only=True)
class Lane:
    """One enabled plug-in as the rules see it: how it answers, and how patient it is."""

    pipeline: Pipeline
    tuning: Tuning = attrs.field(factory=Tuning)

    @property
    def admission(self) -> Admission:
        """The pace of its ready queues [DM-26, DM-27]."""
        is_push = self.pipeline is Pipeline.PUSH
        interval, in_flight = self.tuning.min_interval_ms, self.tuning.max_in_flight
        return Admission(
            min_interval_ms=(SPACING_DEFAULT_MS if is_push else 0) if interval is None else interval,
            max_in_flight=(0 if is_push else IN_FLIGHT_DEFAULT) if in_flight is None else in_flight,
        )

    def entry_wait(self, stage: Stage) -> timedelta:
        """Tell how long a message entering a stage waits; ``retry`` waits out its back-off instead [DM-33].

        Raises:
            KeyError: The stage is ``retry``.
        """
        return timedelta(
            milliseconds={
                Stage.NS: self.tuning.ns_in_flight_timeout_ms,
                Stage.RELAY_NODE: self.tuning.relay_node_in_flight_timeout_ms,
                Stage.DEVICE: self.tuning.device_in_flight_timeout_ms,
                Stage.AWAITING_TASK: self.tuning.initial_poll_delay_ms,
            }[stage]
        )

    def wait_again(self, stage: Stage, age: timedelta) -> timedelta:
        """Tell how long a message stays on in its stage [DM-33, DM-48].

        Args:
            stage: Where it is.
            age: Since its birth.
        """
        return poll_wait(self.tuning.poll_ladder_ms, age) if stage is Stage.AWAITING_TASK else self.entry_wait(stage)


Lanes = Mapping[str, Lane]
"""Enabled plug-ins by id."""


def poll_wait(ladder_ms: Sequence[int], age: timedelta) -> timedelta:
    """Tell when to poll again [DM-48].

    By default: under 20 s of age → 10 s, under 50 s → 15 s, under 90 s → 20 s, else 30 s.
    """
    until = timedelta(0)
    for wait_ms in ladder_ms[:-1]:
        until += timedelta(milliseconds=wait_ms) * POLLS_PER_RUNG
        if age < until:
            return timedelta(milliseconds=wait_ms)
    return timedelta(milliseconds=ladder_ms[-1])


@attrs.frozen(kw_only=True)
class DeliveryPolicy:
    """What holds for messages of all plug-ins [DM-164].

    Attributes:
        message_ttl_s: A message that is this old is history.
        archive_days: How long the archive answers questions.
    """

    retry: RetryPolicy = attrs.field(factory=RetryPolicy)
    message_ttl_s: int = attrs.field(default=604_800, validator=_positive)
    archive_days: int = attrs.field(default=90, validator=attrs.validators.ge(0))

    @property
    def max_age(self) -> timedelta:
        """Age at which an undelivered message is given up [DM-40]."""
        is_short = self.message_ttl_s < _SHORT_TTL_S
        return timedelta(seconds=self.message_ttl_s / 2 if is_short else self.message_ttl_s - _EXPIRY_MARGIN_S)
