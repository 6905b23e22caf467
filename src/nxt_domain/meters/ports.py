"""What the meters' use cases need from the relational plane, inside one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from nxt_domain.grids.ports import GridTwins
from nxt_domain.messaging.ports import DeviceMessages
from nxt_domain.meters.model import (
    CreditObservation,
    Interaction,
    InteractionOwner,
    InteractionType,
    Meter,
    MeterObservation,
    NewInteraction,
    Origin,
)
from nxt_domain.meters.state_events import StateEvents
from nxt_domain.meters.verification import CreditClear, OtherTopUp
from nxt_domain.shared.unit_of_work import UnitOfWork
from nxt_domain.tokens.ports import DecoderKeys, TokenIssues


class Meters(Protocol):
    """Live meters; deleted ones are never returned [MET-12]."""

    async def lock(self, meter_ids: Collection[int]) -> Mapping[int, Meter]:
        """Load meters and lock their rows in ascending id, until the transaction ends [R25]."""

    async def ids_of(self, numbers: Collection[str]) -> Mapping[str, int]:
        """Find meters by number, without locking; unknown and deleted ones are left out."""

    async def observe(self, observations: Sequence[MeterObservation]) -> None:
        """Write what meters proved of themselves; the caller holds their locks.

        Older news never overwrite newer ones, value by value [MET-83]. Reported relay and power limit go to the
        shadows, too; where they changed, ``REPORTED_SET`` is noted [MET-27, MET-28].

        Args:
            observations: Any number, also several of one meter, in any order; of equal times the later one counts.
        """


class Interactions(Protocol):
    """Interactions; the caller holds the lock of their meters."""

    async def add(self, interactions: Sequence[NewInteraction]) -> Sequence[Interaction]:
        """Store interactions and their request rows; return those stored, in the same order, with rising ids.

        An interaction of an order that already has one is left out [PAY-113]; what a meter says of its own accord is
        nobody's request [MET-25].
        """

    async def lock(self, interaction_ids: Collection[int]) -> Mapping[int, Interaction]:
        """Load interactions and lock their rows in ascending id."""

    async def read(self, interaction_ids: Collection[int]) -> Mapping[int, Interaction]:
        """Load interactions without locking."""

    async def owners(self, interaction_ids: Collection[int]) -> Mapping[int, InteractionOwner]:
        """Tell who may see each interaction, by the meter's present place; those of deleted meters are left out."""

    async def meters_of(self, interaction_ids: Collection[int]) -> Mapping[int, int]:
        """Tell the meter of each interaction, without locking: meters are locked first [R25]."""

    async def save(self, interactions: Sequence[Interaction]) -> None:
        """Write changed interactions; ``updated_at`` is set as given."""

    async def join(self, interaction_ids: Sequence[int], origin: Origin) -> None:
        """Note that a further request is served by an interaction that was there before [MET-109]."""

    async def of_orders(self, order_ids: Collection[int]) -> Mapping[int, Interaction]:
        """Find the top-ups of orders, by order id."""

    async def unfinished(self, meter_ids: Collection[int], kinds: Collection[InteractionType]) -> Sequence[Interaction]:
        """Load unfinished interactions of some kinds, oldest first."""

    async def later(self, interaction: Interaction, kinds: Collection[InteractionType]) -> Sequence[Interaction]:
        """Load the meter's interactions of some kinds that were made after one, oldest first; at most a hundred."""

    async def suspended(self, *, after_id: int, limit: int) -> Sequence[Interaction]:
        """Page through suspended interactions by id, without locking."""

    async def expired(self, now: datetime, *, after_id: int, limit: int) -> Sequence[Interaction]:
        """Page by id through what was not ended by its ``expires_at``, without locking [MET-116].

        Deferred interactions belong to the flow that defers them.
        """

    async def unattended(
        self, *, queued_before: datetime, processing_before: datetime, after_id: int, limit: int
    ) -> Sequence[Interaction]:
        """Page by id through what has been queued or under way for long, without locking [MET-80].

        Args:
            queued_before: The last change of those that are ``QUEUED``, at the latest.
            processing_before: Likewise of those that are ``PROCESSING``.
            after_id: Where the last page ended.
            limit: Length of a page.
        """

    async def newest_freeze_times(self, meter_ids: Collection[int]) -> Mapping[int, str]:
        """Tell the ``freeze_time`` of each meter's newest stored report [MET-82]."""

    async def credit_observations(
        self, meter_id: int, token_issued_at: datetime
    ) -> tuple[Sequence[CreditObservation], bool]:
        """Load the meter's credit observations from the newest before that time on, by time [MET-125].

        Returns:
            The observations, and whether the first of them is from before.
        """

    async def other_top_ups(self, meter_id: int, since: datetime, *, than: int) -> Sequence[OtherTopUp]:
        """Load the meter's top-ups, other than one, that became ``SUCCESSFUL`` since."""

    async def credit_clears(self, meter_id: int, since: datetime) -> Sequence[CreditClear]:
        """Load the meter's credit clears that were handed on, and did not end before that time."""


class MetersTransaction(UnitOfWork, Protocol):
    """One transaction over meters, their interactions, tokens and messages."""

    @property
    def meters(self) -> Meters:
        """Meters."""

    @property
    def interactions(self) -> Interactions:
        """Interactions."""

    @property
    def state_events(self) -> StateEvents:
        """The history of meters."""

    @property
    def grids(self) -> GridTwins:
        """Grids and gateways."""

    @property
    def token_issues(self) -> TokenIssues:
        """The record of tokens."""

    @property
    def decoder_keys(self) -> DecoderKeys:
        """Meters' keys."""

    @property
    def messages(self) -> DeviceMessages:
        """The durable queue of device messages."""
