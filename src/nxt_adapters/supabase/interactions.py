"""Interactions: every exchange with a meter."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.interaction_rows import interaction_of, row_of, values_of
from nxt_adapters.supabase.tables import interaction_requests, meter_interactions
from nxt_domain.meters.model import (
    CreditObservation,
    Interaction,
    InteractionStatus,
    InteractionType,
    NewInteraction,
)
from nxt_domain.meters.verification import OtherTopUp

_i = meter_interactions.c
_UNFINISHED = ("QUEUED", "SUSPENDED", "DEFERRED", "PROCESSING")

# Reads and reports that tell the credit, from the newest before the token was issued on [MET-125].
_CREDIT_OBSERVATIONS = text(
    """
    with observations as (
        select created_at, updated_at as observed_at,
            case meter_interaction_type when 'READ_CREDIT' then (result_value ->> 'kwh_credit_available')::numeric
                else (result_value ->> 'purchase_remain_source_1')::numeric end as credit_kwh,
            case meter_interaction_type when 'READ_REPORT' then (result_value ->> 'consumption_source_1')::numeric
                end as counter_kwh
        from meter_interactions
        where meter_id = :meter_id and meter_interaction_status = 'SUCCESSFUL'
            and meter_interaction_type in ('READ_CREDIT', 'READ_REPORT')
            and created_at >= cast(:issued_at as timestamptz) - interval '2 days'
    ),
    baseline as (
        select max(observed_at) as at from observations where observed_at < :issued_at and credit_kwh is not null
    )
    select o.observed_at, o.credit_kwh, o.counter_kwh, baseline.at is not null as has_baseline
    from observations o cross join baseline
    where o.credit_kwh is not null and o.observed_at >= coalesce(baseline.at, :issued_at)
    order by o.observed_at
    limit 500
    """
)


class PostgresInteractions:
    """``Interactions`` on the relational plane.

    Args:
        connection: The open transaction's.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, interactions: Sequence[NewInteraction]) -> Sequence[Interaction]:
        """See ``Interactions.add``."""
        if not interactions:
            return ()
        statement = (
            insert(meter_interactions)
            .values([values_of(interaction) for interaction in interactions])
            .on_conflict_do_nothing(index_elements=["order_id"])
            .returning(meter_interactions)
        )
        rows = (await self._connection.execute(statement)).all()
        stored = sorted((interaction_of(row) for row in rows), key=lambda interaction: interaction.id)
        if stored:
            requests = [{"meter_interaction_id": new.id, "origin": new.origin.value} for new in stored]
            await self._connection.execute(insert(interaction_requests).values(requests))
        return stored

    async def lock(self, interaction_ids: Collection[int]) -> Mapping[int, Interaction]:
        """See ``Interactions.lock``."""
        query = select(meter_interactions).where(_i.id.in_(sorted(interaction_ids))).order_by(_i.id).with_for_update()
        return {found.id: found for found in await self._load(query, interaction_ids)}

    async def meters_of(self, interaction_ids: Collection[int]) -> Mapping[int, int]:
        """See ``Interactions.meters_of``."""
        if not interaction_ids:
            return {}
        query = select(_i.id, _i.meter_id).where(_i.id.in_(sorted(interaction_ids)))
        return {row.id: row.meter_id for row in await self._connection.execute(query)}

    async def save(self, interactions: Sequence[Interaction]) -> None:
        """See ``Interactions.save``."""
        if not interactions:
            return
        rows = [row_of(interaction) for interaction in interactions]
        columns = [name for name in rows[0] if name != "key"]
        statement = (
            update(meter_interactions)
            .where(_i.id == bindparam("key"))
            .values({name: bindparam(name) for name in columns})
        )
        await self._connection.execute(statement, rows)

    async def of_orders(self, order_ids: Collection[int]) -> Mapping[int, Interaction]:
        """See ``Interactions.of_orders``."""
        query = select(meter_interactions).where(_i.order_id.in_(sorted(order_ids)))
        found = await self._load(query, order_ids)
        return {interaction.order_id: interaction for interaction in found if interaction.order_id is not None}

    async def unfinished(self, meter_ids: Collection[int], kinds: Collection[InteractionType]) -> Sequence[Interaction]:
        """See ``Interactions.unfinished``."""
        query = (
            select(meter_interactions)
            .where(
                _i.meter_interaction_status.in_(_UNFINISHED),
                _i.meter_id.in_(sorted(meter_ids)),
                _i.meter_interaction_type.in_(sorted(kinds)),
            )
            .order_by(_i.id)
        )
        return await self._load(query, meter_ids)

    async def suspended(self, *, after_id: int, limit: int) -> Sequence[Interaction]:
        """See ``Interactions.suspended``."""
        query = (
            select(meter_interactions)
            .where(_i.meter_interaction_status == InteractionStatus.SUSPENDED, _i.id > after_id)
            .order_by(_i.id)
            .limit(limit)
        )
        return await self._load(query, (limit,))

    async def expired(self, now: datetime, *, limit: int) -> Sequence[Interaction]:
        """See ``Interactions.expired``."""
        query = (
            select(meter_interactions)
            .where(_i.meter_interaction_status.in_(("QUEUED", "SUSPENDED")), _i.expires_at <= now)
            .order_by(_i.expires_at, _i.id)
            .limit(limit)
        )
        return await self._load(query, (limit,))

    async def newest_freeze_times(self, meter_ids: Collection[int]) -> Mapping[int, str]:
        """See ``Interactions.newest_freeze_times``."""
        if not meter_ids:
            return {}
        query = (
            select(_i.meter_id, _i.result_value["freeze_time"].astext.label("freeze_time"))
            .distinct(_i.meter_id)
            .where(and_(_i.meter_id.in_(sorted(meter_ids)), _i.meter_interaction_type == "READ_REPORT"))
            .order_by(_i.meter_id, _i.created_at.desc(), _i.id.desc())
        )
        return {row.meter_id: row.freeze_time for row in await self._connection.execute(query) if row.freeze_time}

    async def credit_observations(
        self, meter_id: int, token_issued_at: datetime
    ) -> tuple[Sequence[CreditObservation], bool]:
        """See ``Interactions.credit_observations``."""
        rows = (
            await self._connection.execute(_CREDIT_OBSERVATIONS, {"meter_id": meter_id, "issued_at": token_issued_at})
        ).all()
        observations = [
            CreditObservation(observed_at=row.observed_at, credit_kwh=row.credit_kwh, counter_kwh=row.counter_kwh)
            for row in rows
        ]
        return observations, bool(rows) and bool(rows[0].has_baseline)

    async def other_top_ups(self, meter_id: int, since: datetime, *, than: int) -> Sequence[OtherTopUp]:
        """See ``Interactions.other_top_ups``."""
        query = select(_i.updated_at, _i.transactive_kwh).where(
            _i.meter_id == meter_id,
            _i.meter_interaction_type == InteractionType.TOP_UP,
            _i.meter_interaction_status == InteractionStatus.SUCCESSFUL,
            _i.updated_at >= since,
            _i.id != than,
        )
        return [
            OtherTopUp(succeeded_at=row.updated_at, energy_kwh=row.transactive_kwh)
            for row in await self._connection.execute(query)
        ]

    async def _load(self, query: Select[Any], wanted: Collection[object]) -> Sequence[Interaction]:
        if not wanted:
            return ()
        rows: Sequence[Row[Any]] = (await self._connection.execute(query)).all()
        return [interaction_of(row) for row in rows]


def count_by_status() -> Select[Any]:
    """Count unfinished interactions by status, for metrics."""
    return (
        select(_i.meter_interaction_status, func.count().label("count"))
        .where(_i.meter_interaction_status.in_(_UNFINISHED))
        .group_by(_i.meter_interaction_status)
    )
