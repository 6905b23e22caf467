"""Interactions: every exchange with a meter."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from nxt_adapters.supabase.engine import dump_json
from nxt_adapters.supabase.interaction_rows import CHANGING, NEW, interaction_of, new_row, row_of
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.tables import meter_interactions
from nxt_adapters.supabase.written import Read, Written
from nxt_domain.meters.model import (
    CreditObservation,
    Interaction,
    InteractionOwner,
    InteractionType,
    NewInteraction,
    Origin,
)
from nxt_domain.meters.verification import CreditClear, OtherTopUp

# Named one by one: a column that a migration adds disturbs nobody at work.
_COLUMNS = ", ".join(column.name for column in meter_interactions.c)
_FOUND = f"select {_COLUMNS} from meter_interactions"  # noqa: S608 - columns are constants
_UNFINISHED = ("QUEUED", "SUSPENDED", "DEFERRED", "PROCESSING")


def _record(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())


# One parameter for any number of rows, so that the server keeps one plan. Ids rise in the order of the rows.
_ADD = Written(
    f"""
    with stored as (
        insert into meter_interactions ({", ".join(NEW)})
        select {", ".join(NEW)} from jsonb_to_recordset(cast(:rows as jsonb)) as new (ordinal int, {_record(NEW)})
        order by ordinal
        on conflict (order_id) do nothing
        returning *
    ),
    requests as (
        insert into internal.interaction_requests (meter_interaction_id, origin, account_id)
        select id, origin, author_id from stored where origin <> 'UNSOLICITED'
    )
    select {_COLUMNS} from stored order by id
    """  # noqa: S608 - columns are constants
)

_SAVE = Written(
    f"""
    update meter_interactions m set {", ".join(f"{name} = new.{name}" for name in CHANGING)}
    from jsonb_to_recordset(cast(:rows as jsonb)) as new (id bigint, {_record(CHANGING)})
    where m.id = new.id
    """  # noqa: S608 - columns are constants
)

_JOIN = Written(
    """
    insert into internal.interaction_requests (meter_interaction_id, origin, coalesced)
    select unnest(cast(:ids as bigint[])), :origin, true
    """
)

_LOCK = Written(f"{_FOUND} where id = any(:ids) order by id for no key update")
_READ = Read(f"{_FOUND} where id = any(:ids) order by id")
_OWNERS = Read(
    """
    select i.id, g.organization_id, g.id as grid_id, cu.account_id as customer_account_id
    from meter_interactions i
    join meters m on m.id = i.meter_id and m.deleted_at is null
    left join connections c on c.id = m.connection_id
    left join customers cu on cu.id = c.customer_id
    left join grids g on g.id = cu.grid_id
    where i.id = any(:ids)
    """
)
_METERS_OF = Read("select id, meter_id from meter_interactions where id = any(:ids)")
_OF_ORDERS = Read(f"{_FOUND} where order_id = any(:ids)")
_UNFINISHED_OF = Read(
    f"""
    {_FOUND}
    where meter_interaction_status in ('QUEUED', 'SUSPENDED', 'DEFERRED', 'PROCESSING')
        and meter_id = any(:ids) and meter_interaction_type = any(cast(:kinds as meter_interaction_type_enum[]))
    order by id
    """
)
# The meter's index is entered by time: a transaction that began earlier may have drawn the later id.
_LATER = Read(
    f"""
    {_FOUND}
    where meter_id = :meter_id and created_at >= cast(:made_at as timestamptz) - interval '1 hour' and id > :id
        and meter_interaction_type = any(cast(:kinds as meter_interaction_type_enum[]))
    order by id limit 100
    """
)
_SUSPENDED = Read(
    f"""
    {_FOUND} where meter_interaction_status = 'SUSPENDED' and id > :after_id
    order by id limit :limit
    """
)
_EXPIRED = Read(
    f"""
    {_FOUND}
    where meter_interaction_status in ('QUEUED', 'SUSPENDED', 'PROCESSING') and expires_at <= :now and id > :after_id
    order by id limit :limit
    """
)
_UNATTENDED = Read(
    f"""
    {_FOUND}
    where meter_interaction_status in ('QUEUED', 'PROCESSING') and id > :after_id
        and updated_at <= case meter_interaction_status when 'QUEUED' then cast(:queued_before as timestamptz)
            else :processing_before end
    order by id limit :limit
    """
)

# Of each meter one step down its index, however long its history.
_NEWEST_FREEZE_TIMES = Read(
    """
    select m.id as meter_id, report.freeze_time
    from unnest(cast(:ids as int[])) as m (id) cross join lateral (
        select result_value ->> 'freeze_time' as freeze_time from meter_interactions i
        where i.meter_id = m.id and i.meter_interaction_type = 'READ_REPORT'
        order by i.created_at desc, i.id desc limit 1) report
    where report.freeze_time is not null
    """
)

# Reads and reports that tell the credit, from the newest before the token was issued on [MET-125].
_CREDIT_OBSERVATIONS = Read(
    """
    with observations as (
        select updated_at as observed_at,
            case meter_interaction_type when 'READ_CREDIT' then result_value -> 'kwh_credit_available'
                else result_value -> 'purchase_remain_source_1' end as credit,
            case meter_interaction_type when 'READ_REPORT' then result_value -> 'consumption_source_1' end as counter
        from meter_interactions
        where meter_id = :meter_id and meter_interaction_status = 'SUCCESSFUL'
            and meter_interaction_type in ('READ_CREDIT', 'READ_REPORT')
            and created_at >= cast(:issued_at as timestamptz) - interval '2 days'
    ),
    told as (
        select observed_at, cast(credit as numeric) as credit_kwh,
            case when jsonb_typeof(counter) = 'number' then cast(counter as numeric) end as counter_kwh
        from observations where jsonb_typeof(credit) = 'number'
    ),
    baseline as (select max(observed_at) as at from told where observed_at < :issued_at)
    select t.observed_at, t.credit_kwh, t.counter_kwh, baseline.at is not null as has_baseline
    from told t cross join baseline
    where t.observed_at >= coalesce(baseline.at, :issued_at)
    order by t.observed_at limit 500
    """
)

_OTHER_TOP_UPS = Read(
    """
    select updated_at as succeeded_at, transactive_kwh as energy_kwh from meter_interactions
    where meter_id = :meter_id and meter_interaction_type = 'TOP_UP' and meter_interaction_status = 'SUCCESSFUL'
        and updated_at >= :since and id <> :than
    """
)

_CREDIT_CLEARS = Read(
    """
    select first_transmitted_at as earliest_at,
        case when meter_interaction_status in ('QUEUED', 'SUSPENDED', 'DEFERRED', 'PROCESSING') then null
            else updated_at end as latest_at
    from meter_interactions
    where meter_id = :meter_id and meter_interaction_type = 'CLEAR_CREDIT' and first_transmitted_at is not null
        and (updated_at >= :since
            or meter_interaction_status in ('QUEUED', 'SUSPENDED', 'DEFERRED', 'PROCESSING'))
    """
)


class PostgresInteractions:
    """``Interactions`` on the relational plane.

    Args:
        session: Of the unit of work.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def add(self, interactions: Sequence[NewInteraction]) -> Sequence[Interaction]:
        """See ``Interactions.add``."""
        if not interactions:
            return ()
        rows = [{"ordinal": ordinal, **new_row(new)} for ordinal, new in enumerate(interactions)]
        return await self._load(_ADD, rows=dump_json(rows))

    async def lock(self, interaction_ids: Collection[int]) -> Mapping[int, Interaction]:
        """See ``Interactions.lock``."""
        if not interaction_ids:
            return {}
        return {found.id: found for found in await self._load(_LOCK, ids=list(interaction_ids))}

    async def read(self, interaction_ids: Collection[int]) -> Mapping[int, Interaction]:
        """See ``Interactions.read``."""
        if not interaction_ids:
            return {}
        return {found.id: found for found in await self._load(_READ, ids=list(interaction_ids))}

    async def owners(self, interaction_ids: Collection[int]) -> Mapping[int, InteractionOwner]:
        """See ``Interactions.owners``."""
        rows = await self._session.objects(_OWNERS, {"ids": list(interaction_ids)})
        return {
            row.id: InteractionOwner(
                organization_id=row.organization_id,
                grid_id=row.grid_id,
                customer_account_id=row.customer_account_id,
            )
            for row in rows
        }

    async def meters_of(self, interaction_ids: Collection[int]) -> Mapping[int, int]:
        """See ``Interactions.meters_of``."""
        if not interaction_ids:
            return {}
        rows = await self._session.objects(_METERS_OF, {"ids": list(interaction_ids)})
        return {row.id: row.meter_id for row in rows}

    async def save(self, interactions: Sequence[Interaction]) -> None:
        """See ``Interactions.save``."""
        if interactions:
            rows = [row_of(interaction) for interaction in interactions]
            await self._session.run(_SAVE, {"rows": dump_json(rows)})

    async def join(self, interaction_ids: Sequence[int], origin: Origin) -> None:
        """See ``Interactions.join``."""
        if interaction_ids:
            await self._session.run(_JOIN, {"ids": list(interaction_ids), "origin": origin.value})

    async def of_orders(self, order_ids: Collection[int]) -> Mapping[int, Interaction]:
        """See ``Interactions.of_orders``."""
        if not order_ids:
            return {}
        found = await self._load(_OF_ORDERS, ids=list(order_ids))
        return {interaction.order_id: interaction for interaction in found if interaction.order_id is not None}

    async def unfinished(self, meter_ids: Collection[int], kinds: Collection[InteractionType]) -> Sequence[Interaction]:
        """See ``Interactions.unfinished``."""
        if not meter_ids:
            return ()
        return await self._load(_UNFINISHED_OF, ids=list(meter_ids), kinds=[kind.value for kind in kinds])

    async def later(self, interaction: Interaction, kinds: Collection[InteractionType]) -> Sequence[Interaction]:
        """See ``Interactions.later``."""
        return await self._load(
            _LATER,
            meter_id=interaction.meter_id,
            made_at=interaction.created_at,
            id=interaction.id,
            kinds=[kind.value for kind in kinds],
        )

    async def suspended(self, *, after_id: int, limit: int) -> Sequence[Interaction]:
        """See ``Interactions.suspended``."""
        return await self._load(_SUSPENDED, after_id=after_id, limit=limit)

    async def expired(self, now: datetime, *, after_id: int, limit: int) -> Sequence[Interaction]:
        """See ``Interactions.expired``."""
        return await self._load(_EXPIRED, now=now, after_id=after_id, limit=limit)

    async def unattended(
        self, *, queued_before: datetime, processing_before: datetime, after_id: int, limit: int
    ) -> Sequence[Interaction]:
        """See ``Interactions.unattended``."""
        before = {"queued_before": queued_before, "processing_before": processing_before}
        return await self._load(_UNATTENDED, **before, after_id=after_id, limit=limit)

    async def newest_freeze_times(self, meter_ids: Collection[int]) -> Mapping[int, str]:
        """See ``Interactions.newest_freeze_times``."""
        if not meter_ids:
            return {}
        rows = await self._session.objects(_NEWEST_FREEZE_TIMES, {"ids": list(meter_ids)})
        return {row.meter_id: row.freeze_time for row in rows}

    async def credit_observations(
        self, meter_id: int, token_issued_at: datetime
    ) -> tuple[Sequence[CreditObservation], bool]:
        """See ``Interactions.credit_observations``."""
        parameters = {"meter_id": meter_id, "issued_at": token_issued_at}
        rows = await self._session.objects(_CREDIT_OBSERVATIONS, parameters)
        observations = [
            CreditObservation(observed_at=row.observed_at, credit_kwh=row.credit_kwh, counter_kwh=row.counter_kwh)
            for row in rows
        ]
        return observations, bool(rows) and bool(rows[0].has_baseline)

    async def other_top_ups(self, meter_id: int, since: datetime, *, than: int) -> Sequence[OtherTopUp]:
        """See ``Interactions.other_top_ups``."""
        parameters = {"meter_id": meter_id, "since": since, "than": than}
        rows = await self._session.rows(_OTHER_TOP_UPS, parameters)
        return [OtherTopUp(**row) for row in rows]

    async def credit_clears(self, meter_id: int, since: datetime) -> Sequence[CreditClear]:
        """See ``Interactions.credit_clears``."""
        rows = await self._session.rows(_CREDIT_CLEARS, {"meter_id": meter_id, "since": since})
        return [CreditClear(**row) for row in rows]

    async def _load(self, statement: Written, **parameters: object) -> Sequence[Interaction]:
        return [interaction_of(row) for row in await self._session.objects(statement, parameters)]


def count_by_status() -> Select[Any]:
    """Count unfinished interactions by status, for metrics."""
    status = meter_interactions.c.meter_interaction_status
    return select(status, func.count().label("count")).where(status.in_(_UNFINISHED)).group_by(status)
