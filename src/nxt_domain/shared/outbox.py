"""Effects outside the database, written in the transaction that causes them [REL-156]."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import attrs


@attrs.frozen(kw_only=True)
class OutboxTask:
    """One effect that must happen at least once.

    Attributes:
        kind: What to do, e.g. ``TOP_UP_COMMAND``; names a handler of the relay.
        dedupe_key: Unique for ever: a second task with it is not stored, e.g. ``order:50:topup``.
        payload: JSON-able ids and facts; never a token or another secret [REL-142, R49].
        stream_key: Tasks of one stream are done in the order of their ids; None: no order.
        order_id: The order it belongs to, if any.
        organization_id: The tenant it concerns, if any.
        grid_id: The grid it concerns, if any.
        give_up_after: How long it is retried; None: for ever, with an alert.
        delay: How long the first attempt waits.
    """

    kind: str
    dedupe_key: str
    payload: Mapping[str, object] = attrs.field(factory=dict)
    stream_key: str | None = None
    order_id: int | None = None
    organization_id: int | None = None
    grid_id: int | None = None
    give_up_after: timedelta | None = None
    delay: timedelta = timedelta(0)


class Outbox(Protocol):
    """The part of a transaction that stores effects."""

    async def add(self, tasks: Sequence[OutboxTask]) -> None:
        """Store tasks with the transaction; those whose ``dedupe_key`` is known are left out."""


@attrs.frozen(kw_only=True)
class ClaimedTask:
    """A task that this process holds until ``lease_until``.

    Attributes:
        id: Row id; grows within a stream.
        attempts: Failed attempts before this one.
        created_at: When its transaction stored it.
    """

    id: int
    kind: str
    dedupe_key: str
    payload: Mapping[str, object]
    stream_key: str | None
    order_id: int | None
    attempts: int
    created_at: datetime
    give_up_at: datetime | None
    lease_until: datetime


class OutboxQueue(Protocol):
    """The relay's view of the outbox: claim, then finish or retry. Each call is one transaction."""

    async def due(self, kinds: Sequence[str]) -> Collection[str]:
        """Tell for which of these kinds a claim may find something; nothing is taken, and one look serves them all."""

    async def claim(self, *, owner: str, kinds: Sequence[str], limit: int, lease: timedelta) -> Sequence[ClaimedTask]:
        """Lease due tasks of these kinds, oldest first, at most one open task of each stream.

        A task of a stream is due only when no earlier task of the stream is open.
        """

    async def done(self, tasks: Sequence[ClaimedTask]) -> None:
        """Mark tasks done; ``SOCKET_EVENT`` rows are deleted instead [R49]."""

    async def retry(self, delays: Sequence[tuple[ClaimedTask, timedelta]], *, error: str) -> Sequence[ClaimedTask]:
        """Give tasks back, each due after its delay; drop and return those for which that lies past ``give_up_at``.

        A task whose lease somebody else has by now, or that is done, stays as it is.
        """
