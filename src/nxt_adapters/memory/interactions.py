"""Interactions in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.meters import MeterRow
from nxt_domain.meters.effects import number_of
from nxt_domain.meters.model import (
    CreditObservation,
    Interaction,
    InteractionOwner,
    InteractionStatus,
    InteractionType,
    NewInteraction,
    Origin,
)
from nxt_domain.meters.verification import CreditClear, OtherTopUp

_BASELINE_AGE = timedelta(days=2)
_EXPIRING = {InteractionStatus.QUEUED, InteractionStatus.SUSPENDED, InteractionStatus.PROCESSING}


@attrs.frozen(kw_only=True)
class RequestRow:
    """A logical request and the interaction that serves it."""

    interaction_id: int
    origin: Origin
    is_coalesced: bool = False


class MemoryInteractions:
    """Implements ``Interactions``.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._rows: dict[int, Interaction] = database.table("meter_interactions")
        self._meters: dict[int, MeterRow] = database.table("meters")
        self._requests: dict[int, RequestRow] = database.table("interaction_requests")

    async def add(self, interactions: Sequence[NewInteraction]) -> Sequence[Interaction]:
        """See ``Interactions.add``."""
        taken = {row.order_id for row in self._rows.values()} - {None}
        stored: list[Interaction] = []
        for new in interactions:
            if new.order_id in taken:
                continue
            if new.order_id is not None:
                taken.add(new.order_id)
            stored.append(self._insert(new))
        return stored

    async def lock(self, interaction_ids: Collection[int]) -> Mapping[int, Interaction]:
        """See ``Interactions.lock``."""
        return {number: self._rows[number] for number in sorted(set(interaction_ids)) if number in self._rows}

    async def read(self, interaction_ids: Collection[int]) -> Mapping[int, Interaction]:
        """See ``Interactions.read``."""
        return await self.lock(interaction_ids)

    async def owners(self, interaction_ids: Collection[int]) -> Mapping[int, InteractionOwner]:
        """See ``Interactions.owners``."""
        found = await self.lock(interaction_ids)
        rows = ((number, self._meters.get(interaction.meter_id)) for number, interaction in found.items())
        return {
            number: InteractionOwner(
                organization_id=row.meter.organization_id,
                grid_id=row.meter.grid_id,
                customer_account_id=row.meter.customer_account_id,
            )
            for number, row in rows
            if row is not None and not row.is_deleted
        }

    async def meters_of(self, interaction_ids: Collection[int]) -> Mapping[int, int]:
        """See ``Interactions.meters_of``."""
        return {number: self._rows[number].meter_id for number in interaction_ids if number in self._rows}

    async def save(self, interactions: Sequence[Interaction]) -> None:
        """See ``Interactions.save``."""
        for interaction in interactions:
            self._rows[interaction.id] = interaction

    async def join(self, interaction_ids: Sequence[int], origin: Origin) -> None:
        """See ``Interactions.join``."""
        for number in interaction_ids:
            self._request(RequestRow(interaction_id=number, origin=origin, is_coalesced=True))

    async def of_orders(self, order_ids: Collection[int]) -> Mapping[int, Interaction]:
        """See ``Interactions.of_orders``."""
        return {
            row.order_id: row for row in self._rows.values() if row.order_id is not None and row.order_id in order_ids
        }

    async def unfinished(self, meter_ids: Collection[int], kinds: Collection[InteractionType]) -> Sequence[Interaction]:
        """See ``Interactions.unfinished``."""
        return [
            row
            for _, row in sorted(self._rows.items())
            if row.meter_id in meter_ids and row.type in kinds and not row.status.is_final
        ]

    async def later(self, interaction: Interaction, kinds: Collection[InteractionType]) -> Sequence[Interaction]:
        """See ``Interactions.later``."""
        later = (row for row in self._of(interaction.meter_id) if row.id > interaction.id)
        return [row for row in later if row.type in kinds][:100]

    async def suspended(self, *, after_id: int, limit: int) -> Sequence[Interaction]:
        """See ``Interactions.suspended``."""
        rows = (row for number, row in sorted(self._rows.items()) if number > after_id)
        return [row for row in rows if row.status is InteractionStatus.SUSPENDED][:limit]

    async def expired(self, now: datetime, *, after_id: int, limit: int) -> Sequence[Interaction]:
        """See ``Interactions.expired``."""
        rows = (row for number, row in sorted(self._rows.items()) if number > after_id and row.status in _EXPIRING)
        return [row for row in rows if row.expires_at is not None and row.expires_at <= now][:limit]

    async def unattended(
        self, *, queued_before: datetime, processing_before: datetime, after_id: int, limit: int
    ) -> Sequence[Interaction]:
        """See ``Interactions.unattended``."""
        before = {InteractionStatus.QUEUED: queued_before, InteractionStatus.PROCESSING: processing_before}
        rows = (row for number, row in sorted(self._rows.items()) if number > after_id and row.status in before)
        return [row for row in rows if row.updated_at <= before[row.status]][:limit]

    async def newest_freeze_times(self, meter_ids: Collection[int]) -> Mapping[int, str]:
        """See ``Interactions.newest_freeze_times``."""
        newest: dict[int, str] = {}
        for row in sorted(self._rows.values(), key=lambda row: (row.created_at, row.id)):
            if row.type is InteractionType.READ_REPORT and row.meter_id in meter_ids:
                newest.pop(row.meter_id, None)
                freeze_time = (row.result or {}).get("freeze_time")
                if isinstance(freeze_time, str):
                    newest[row.meter_id] = freeze_time
        return newest

    async def credit_observations(
        self, meter_id: int, token_issued_at: datetime
    ) -> tuple[Sequence[CreditObservation], bool]:
        """See ``Interactions.credit_observations``."""
        told = sorted(
            (observation for row in self._of(meter_id) if (observation := _credit(row, token_issued_at)) is not None),
            key=lambda observation: observation.observed_at,
        )
        before = [observation for observation in told if observation.observed_at < token_issued_at]
        since = [observation for observation in told if observation.observed_at >= token_issued_at]
        return [*before[-1:], *since], bool(before)

    async def other_top_ups(self, meter_id: int, since: datetime, *, than: int) -> Sequence[OtherTopUp]:
        """See ``Interactions.other_top_ups``."""
        return [
            OtherTopUp(succeeded_at=row.updated_at, energy_kwh=row.energy_kwh or Decimal(0))
            for row in self._of(meter_id)
            if row.type is InteractionType.TOP_UP
            and row.status is InteractionStatus.SUCCESSFUL
            and row.updated_at >= since
            and row.id != than
        ]

    async def credit_clears(self, meter_id: int, since: datetime) -> Sequence[CreditClear]:
        """See ``Interactions.credit_clears``."""
        return [
            CreditClear(earliest_at=row.first_transmitted_at, latest_at=row.updated_at if row.status.is_final else None)
            for row in self._of(meter_id)
            if row.type is InteractionType.CLEAR_CREDIT
            and row.first_transmitted_at is not None
            and (row.updated_at >= since or not row.status.is_final)
        ]

    def all(self) -> Sequence[Interaction]:
        """Return all interactions, oldest first."""
        return [row for _, row in sorted(self._rows.items())]

    def requests(self) -> Sequence[RequestRow]:
        """Return all logical requests, oldest first."""
        return list(self._requests.values())

    def _of(self, meter_id: int) -> Sequence[Interaction]:
        return [row for _, row in sorted(self._rows.items()) if row.meter_id == meter_id]

    def _insert(self, new: NewInteraction) -> Interaction:
        now = self._database.clock.now()
        facts = {name: getattr(new, name) for name in _KEPT}
        interaction = Interaction(
            id=self._database.next_id("meter_interactions"), created_at=now, updated_at=now, **facts
        )
        self._rows[interaction.id] = interaction
        if new.origin is not Origin.UNSOLICITED:
            self._request(RequestRow(interaction_id=interaction.id, origin=new.origin))
        return interaction

    def _request(self, request: RequestRow) -> None:
        self._requests[self._database.next_id("interaction_requests")] = request


_KEPT = {field.name for field in attrs.fields(NewInteraction)} & {field.name for field in attrs.fields(Interaction)}


def _credit(row: Interaction, token_issued_at: datetime) -> CreditObservation | None:
    is_report = row.type is InteractionType.READ_REPORT
    if row.status is not InteractionStatus.SUCCESSFUL or row.created_at < token_issued_at - _BASELINE_AGE:
        return None
    if not is_report and row.type is not InteractionType.READ_CREDIT:
        return None
    result = row.result or {}
    credit = number_of(result.get("purchase_remain_source_1" if is_report else "kwh_credit_available"))
    if credit is None:
        return None
    counter = number_of(result.get("consumption_source_1")) if is_report else None
    return CreditObservation(observed_at=row.updated_at, credit_kwh=credit, counter_kwh=counter)
