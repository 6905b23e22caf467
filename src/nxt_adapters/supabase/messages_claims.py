"""Claiming messages: in batches, with ``FOR UPDATE SKIP LOCKED``, under admission [DM-3, DM-16, DM-29]."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text

from nxt_adapters.supabase.messages_codec import COLUMNS, qualified
from nxt_adapters.supabase.messages_rows import SET_ASIDE, Reader
from nxt_domain.messaging.model import DeviceMessage
from nxt_domain.messaging.ports import Batch, Lease, Quota, ReadyBatch
from nxt_domain.messaging.stages import Stage

WINDOW = 1_000
"""Ready queues that one pass looks at, at most."""

_GLANCES_PER_CLAIM = 2  # ready queues looked at in one step for each message wanted: others may be at work on some
_SMALLEST_GLANCE = 50

# In both, "offset 0" keeps the planner from working out a subquery several times, or from reading all of a table for a
# hundred of its rows.
#
# Ready queues of one plug-in that hold messages, found by skipping through the index from key to key, so that the cost
# follows the number of queues and not that of messages. One look sees a window of them, the next goes on behind it, and
# a pass ends where it began at the latest. Queues that admission lets through are locked; one that another engine is
# claiming from is skipped. What the claim itself reads must be newer than these locks: it is a statement of its own,
# and the lock makes counting slots and claiming one step.
_OPEN_QUEUES = text(
    r"""
    with recursive scan (ready_queue, beginning, is_wrapped, step) as (
        select start.ready_queue, coalesce(nullif(:beginning, '') collate "C", start.ready_queue), start.is_wrapped, 1
        from (
            select ready_queue, cast(:beginning as text) <> '' and (:is_wrapped or ready_queue <= :after) as is_wrapped
            from (select coalesce(
                (select min(ready_queue) from messaging.device_messages
                    where delivery_status = 'QUEUED' and ready_queue > :after and ready_queue < :beyond),
                (select min(ready_queue) from messaging.device_messages
                    where delivery_status = 'QUEUED' and ready_queue > :first and ready_queue < :beyond)
            ) as ready_queue) as one) as start
        where start.ready_queue is not null and not (start.is_wrapped and start.ready_queue >= :beginning)
        union all
        select next.ready_queue, scan.beginning, scan.is_wrapped or next.ready_queue <= scan.ready_queue, scan.step + 1
        from scan cross join lateral (
            select coalesce(
                (select min(m.ready_queue) from messaging.device_messages m
                    where m.delivery_status = 'QUEUED' and m.ready_queue > scan.ready_queue
                        and m.ready_queue < :beyond),
                (select min(m.ready_queue) from messaging.device_messages m
                    where m.delivery_status = 'QUEUED' and m.ready_queue > :first and m.ready_queue < :beyond)
            ) as ready_queue offset 0) as next
        where scan.step < :window and next.ready_queue is not null and not (
            (scan.is_wrapped or next.ready_queue <= scan.ready_queue) and next.ready_queue >= scan.beginning)
    ), keys as (
        select ready_queue, step from scan where ready_queue ~ '^queue:[^:]+:[^:]+:[^:]+$'
    ), fresh as (
        insert into messaging.admission (ready_queue)
        select ready_queue from keys
        where not exists (select from messaging.admission a where a.ready_queue = keys.ready_queue)
        order by ready_queue
        on conflict do nothing
        returning ready_queue
    ), open as (
        select a.ready_queue from keys join messaging.admission a using (ready_queue)
        where (a.last_claim_at is null or a.last_claim_at + :interval <= clock_timestamp()
                or a.last_claim_at > clock_timestamp() + :interval)
            and (:max_in_flight = 0 or :max_in_flight > (
                select count(*) from messaging.device_messages h
                where h.ready_queue = a.ready_queue and h.holds_slot))
        order by keys.step
        limit :limit
        for update of a skip locked
    )
    select array(
            select keys.ready_queue from keys
            where keys.ready_queue in (select ready_queue from fresh union all select ready_queue from open)
            order by keys.step limit :limit) as queues,
        (select beginning from scan limit 1) as beginning,
        (select ready_queue from scan order by step desc limit 1) as last,
        (select coalesce(bool_or(is_wrapped), false) from scan) as is_wrapped,
        (select coalesce(max(step), 0) from scan) as looked_at,
        (select min(a.last_claim_at) + :interval - clock_timestamp()
            from keys join messaging.admission a using (ready_queue)
            where a.last_claim_at + :interval > clock_timestamp()) as next_in
    """
)

_CLAIM = text(
    f"""
    with open as (
        select a.ready_queue, chosen.place, case when :max_in_flight > 0 then (
            select count(*) from messaging.device_messages h where h.ready_queue = a.ready_queue and h.holds_slot)
            end as held
        from unnest(cast(:queues as text[])) with ordinality as chosen (ready_queue, place)
        cross join lateral (
            select known.ready_queue, known.last_claim_at from messaging.admission known
            where known.ready_queue = chosen.ready_queue offset 0) as a
        where a.last_claim_at is null or a.last_claim_at + :interval <= statement_timestamp()
            or a.last_claim_at > statement_timestamp() + :interval
        order by chosen.place
    ), taken as (
        select next.id from open cross join lateral (
            select m.id from messaging.device_messages m
            where m.ready_queue = open.ready_queue and m.delivery_status = 'QUEUED'
                and m.expires_at > statement_timestamp()
            order by m.priority desc, m.id
            limit least(
                case when :is_spaced then 1 else :limit end,
                case when :max_in_flight > 0 then greatest(:max_in_flight - open.held, 0) else :limit end)
            for update skip locked
        ) as next
        limit :limit
    ), claimed as (
        update messaging.device_messages m
        set delivery_status = 'SENT_TO_NS', due_at = statement_timestamp() + :ns_wait, holds_slot = :max_in_flight > 0,
            lease_owner = :owner, lease_until = statement_timestamp() + :lease,
            passed_statuses = array_append(m.passed_statuses, 'SENT_TO_NS'),
            passed_at = array_append(m.passed_at, statement_timestamp())
        from taken where m.id = taken.id
        returning {qualified("m")}
    ), noted as (
        update messaging.admission set last_claim_at = statement_timestamp()
        where ready_queue = any(array(select ready_queue from claimed))
    )
    select {COLUMNS}, statement_timestamp() as now from claimed
    """  # noqa: S608 - column names are constants
)

_DUE = text(
    f"""
    with due as (
        select id from messaging.device_messages
        where delivery_status = :status and due_at <= statement_timestamp() and plugin_id = any(:plugin_ids)
            and (lease_until is null or lease_until <= statement_timestamp())
        order by due_at, id limit :limit for update skip locked
    )
    update messaging.device_messages m
    set lease_owner = :owner, lease_until = statement_timestamp() + :lease
    from due where m.id = due.id
    returning {qualified("m")}, statement_timestamp() as now
    """  # noqa: S608 - column names are constants
)

_STRANDED = text(
    f"""
    select {COLUMNS}, statement_timestamp() as now from messaging.device_messages
    where delivery_status in ('SENT_TO_NS', 'DELIVERED_TO_NS', 'SENT_TO_DEVICE', 'TO_RETRY')
        and due_at <= statement_timestamp() and plugin_id <> all(:plugin_ids)
        and (lease_until is null or lease_until <= statement_timestamp())
    order by id limit :limit for update skip locked
    """  # noqa: S608 - column names are constants
)

_EXPIRED = text(
    f"""
    select {COLUMNS}, statement_timestamp() as now from messaging.device_messages
    where delivery_status = 'QUEUED' and expires_at <= statement_timestamp() and ready_queue not like '{SET_ASIDE}%'
    order by expires_at limit :limit for update skip locked
    """  # noqa: S608 - both are constants
)

_REQUEUE = text(
    """
    with due as (
        select id from messaging.device_messages
        where delivery_status = 'TO_RETRY' and due_at <= statement_timestamp() and plugin_id = any(:plugin_ids)
        order by due_at, id limit :limit for update skip locked
    )
    update messaging.device_messages m set delivery_status = 'QUEUED', due_at = null, lease_owner = null,
        lease_until = null, passed_statuses = array_append(m.passed_statuses, 'QUEUED'),
        passed_at = array_append(m.passed_at, statement_timestamp())
    from due where m.id = due.id
    """
)

_RENEW = text(
    """
    with held as (
        select id from messaging.device_messages where id = any(:ids) and lease_owner = :owner order by id for update
    )
    update messaging.device_messages m
    set lease_until = statement_timestamp() + :lease,
        due_at = case when m.delivery_status = 'SENT_TO_NS' then coalesce(
            statement_timestamp() + make_interval(secs => cast(cast(:ns_waits as jsonb) ->> m.plugin_id as float8)),
            m.due_at) else m.due_at end
    from held where m.id = held.id
    returning m.id
    """
)

_RELEASE = text(
    """
    with held as (
        select id from messaging.device_messages where id = any(:ids) and lease_owner = :owner order by id for update
    )
    update messaging.device_messages m set lease_owner = null, lease_until = null from held where m.id = held.id
    """
)


class PostgresClaims:
    """See ``Claims``.

    Args:
        reader: Reads the transaction's rows.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def ready(self, quotas: Sequence[Quota], lease: Lease) -> ReadyBatch:
        """See ``Claims.ready``."""
        rounds = [await self._round(quota, lease) for quota in quotas]  # a handful of plug-ins
        return ReadyBatch(
            now=next((each.now for each in rounds if each.now is not None), None) or await self._reader.now(),
            messages=sorted((message for each in rounds for message in each.claimed), key=lambda message: message.id),
            next_in=min((wait for each in rounds for wait in each.waits()), default=None),
            reached={each.quota.plugin_id: each.place for each in rounds if each.place is not None},
        )

    async def _round(self, quota: Quota, lease: Lease) -> _Round:
        """Go over the ready queues of one plug-in until its quota is filled: open ones are dense or rare."""
        done = _Round(quota)
        while done.goes_on:
            found = await self._open_queues(done)
            batch = await self._claim(done, found.queues, lease)
            done.take(found, batch)
        return done

    async def _open_queues(self, done: _Round) -> Row[Any]:
        quota = done.quota
        first = f"queue:{quota.plugin_id}:"
        values = {
            "first": first,
            "beyond": f"queue:{quota.plugin_id};",  # the character after the colon
            "after": done.place or quota.after or first,
            "beginning": done.beginning or "",
            "is_wrapped": done.is_wrapped,
            "window": done.window,
            "interval": quota.admission.min_interval,
            "max_in_flight": quota.admission.max_in_flight,
            "limit": done.limit,
        }
        return (await self._reader.connection.execute(_OPEN_QUEUES, values)).one()

    async def _claim(self, done: _Round, queues: Sequence[str], lease: Lease) -> Batch | None:
        if not queues:
            return None
        quota = done.quota
        values = {
            "queues": list(queues),
            "interval": quota.admission.min_interval,
            "is_spaced": quota.admission.min_interval_ms > 0,
            "max_in_flight": quota.admission.max_in_flight,
            "limit": done.limit,
            "ns_wait": quota.ns_wait,
            "owner": lease.owner,
            "lease": lease.duration,
        }
        rows = (await self._reader.connection.execute(_CLAIM, values)).all()
        return await self._reader.batch(rows) if rows else None

    async def due(self, stage: Stage, plugin_ids: Collection[str], lease: Lease, *, limit: int) -> Batch:
        """See ``Claims.due``."""
        values = {
            "status": stage.status.value,
            "plugin_ids": list(plugin_ids),
            "owner": lease.owner,
            "lease": lease.duration,
            "limit": limit,
        }
        return await self._reader.batch((await self._reader.connection.execute(_DUE, values)).all())

    async def stranded(self, plugin_ids: Collection[str], *, limit: int) -> Batch:
        """See ``Claims.stranded``."""
        values = {"plugin_ids": list(plugin_ids), "limit": limit}
        return await self._reader.batch((await self._reader.connection.execute(_STRANDED, values)).all())

    async def expired(self, *, limit: int) -> Batch:
        """See ``Claims.expired``."""
        return await self._reader.batch((await self._reader.connection.execute(_EXPIRED, {"limit": limit})).all())

    async def requeue(self, plugin_ids: Collection[str], *, limit: int) -> int:
        """See ``Claims.requeue``."""
        values = {"plugin_ids": list(plugin_ids), "limit": limit}
        return (await self._reader.connection.execute(_REQUEUE, values)).rowcount

    async def renew(
        self, message_ids: Collection[str], lease: Lease, ns_waits: Mapping[str, timedelta]
    ) -> Sequence[str]:
        """See ``Claims.renew``."""
        values = {
            "ids": list(message_ids),
            "owner": lease.owner,
            "lease": lease.duration,
            "ns_waits": json.dumps({plugin_id: wait.total_seconds() for plugin_id, wait in ns_waits.items()}),
        }
        return list((await self._reader.connection.execute(_RENEW, values)).scalars())

    async def release(self, message_ids: Collection[str], owner: str) -> None:
        """See ``Claims.release``."""
        await self._reader.connection.execute(_RELEASE, {"ids": list(message_ids), "owner": owner})


class _Round:
    """One pass over the ready queues of one plug-in, as far as it has come.

    Args:
        quota: What it may take.

    Attributes:
        beginning: The first ready queue it looked at; None: it has looked at none.
        is_wrapped: Whether it came to the last ready queue and went on at the first.
        place: Where the next look, or the next pass, goes on after.
    """

    def __init__(self, quota: Quota) -> None:
        self.quota = quota
        self.beginning: str | None = None
        self.is_wrapped = False
        self.place: str | None = None
        self.now: datetime | None = None
        self.claimed: list[DeviceMessage] = []
        self._waits: list[timedelta] = []
        self._looked_at = 0
        self._has_more = True

    @property
    def limit(self) -> int:
        """Messages it may still claim."""
        return self.quota.limit - len(self.claimed)

    @property
    def window(self) -> int:
        """Ready queues of the next look: no more than are likely to be needed."""
        wanted = max(_SMALLEST_GLANCE, self.limit * _GLANCES_PER_CLAIM)
        return min(wanted, max(WINDOW, self.quota.limit) - self._looked_at)

    @property
    def goes_on(self) -> bool:
        """Whether there is something left to look at, and to take."""
        return self._has_more and self.limit > 0 and self.window > 0

    def waits(self) -> Iterator[timedelta]:
        """Tell when there may be more to claim, as far as is known."""
        yield from self._waits
        if self._has_more:
            yield timedelta(0)

    def take(self, found: Row[Any], batch: Batch | None) -> None:
        """Note what a look found and what could be claimed of it."""
        claimed = [] if batch is None else batch.messages
        self.now = self.now if batch is None else batch.now
        self._has_more = found.looked_at == self.window
        self._looked_at += found.looked_at
        is_full = len(claimed) >= self.limit
        self.claimed.extend(claimed)
        if self.beginning is None:
            self.beginning = found.beginning
        self.is_wrapped = self.is_wrapped or found.is_wrapped
        if is_full:
            # The quota ran out: the next pass goes on behind the last queue that had its turn.
            places = {queue: place for place, queue in enumerate(found.queues)}
            self.place = max((message.ready_queue for message in claimed), key=lambda queue: places[queue])
        elif found.last is not None:
            self.place = str(found.last)
        self._note_waits(found.next_in, has_claimed=bool(claimed))

    def _note_waits(self, next_in: timedelta | None, *, has_claimed: bool) -> None:
        if not self.quota.admission.min_interval_ms:
            return
        if next_in is not None:
            self._waits.append(max(next_in, timedelta(0)))
        if has_claimed:
            self._waits.append(self.quota.admission.min_interval)
