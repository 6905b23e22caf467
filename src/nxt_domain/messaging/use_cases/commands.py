"""Commands from outside: enqueue, look up, cancel [DM 14.2 to 14.4]."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import attrs

from nxt_domain.messaging.model import CancelResult, DeviceMessage, NewMessage
from nxt_domain.messaging.stand_alone_ports import CommandTransaction
from nxt_domain.shared.group_commit import GroupCommit
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_domain.shared.wakeups import Channel, WakeUps


@attrs.define(kw_only=True, eq=False)
class _Order:
    """One message on its way into the queue.

    Attributes:
        id: Once it is stored.
        is_withdrawn: Whether its caller has gone, and been told that nothing was stored.
    """

    message: NewMessage
    id: str = ""
    is_withdrawn: bool = False


class Commands:
    """Takes commands of an adopter that does not share the database.

    Messages that arrive together are stored together; all else is a transaction of its own.

    Args:
        begin: Opens a transaction.
        wakeups: Wakes the engine.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[CommandTransaction], wakeups: WakeUps) -> None:
        self._begin = begin
        self._wakeups = wakeups
        self._commits: GroupCommit[_Order] = GroupCommit(self._store)

    async def enqueue(self, message: NewMessage, *, request_key: str | None = None) -> str:
        """Store a message and return its id; it is durable when this returns [DM-145].

        Args:
            message: What to deliver. Two with the same correlation id are both delivered [DM-67].
            request_key: Names the request, so that one whose answer was lost can be sent again.

        Raises:
            InvalidInput: No plug-in takes it.
            Unavailable: The store can't be reached.
        """
        if request_key is not None:
            return await self._enqueue_once(message, request_key)
        order = _Order(message=message)
        try:
            await self._commits.submit(order)
        except asyncio.CancelledError:
            order.is_withdrawn = True
            raise
        return order.id

    async def _store(self, orders: Sequence[_Order]) -> None:
        wanted = [order for order in orders if not order.is_withdrawn]
        if not wanted:
            return
        async with self._begin() as tx:
            ids = await tx.messages.enqueue([order.message for order in wanted])
            await tx.commit()
        for order, message_id in zip(wanted, ids, strict=True):
            order.id = message_id
        self._wakeups.hint(Channel.MESSAGING)

    async def _enqueue_once(self, message: NewMessage, request_key: str) -> str:
        async with self._begin() as tx:
            (message_id,) = await tx.messages.enqueue([message])
            known = await tx.requests.remember(request_key, message_id)
            if known != message_id:
                return known
            await tx.commit()
        self._wakeups.hint(Channel.MESSAGING)
        return message_id

    async def find(self, correlation_id: str) -> DeviceMessage | None:
        """Find the newest live message of a correlation id [DM-146].

        Raises:
            Unavailable: The store can't be reached.
        """
        async with self._begin() as tx:
            return await tx.messages.get(correlation_id)

    async def cancel(self, correlation_ids: Sequence[str]) -> Mapping[str, CancelResult]:
        """Take back what was not handed over yet [DM-147].

        Raises:
            Unavailable: The store can't be reached.
        """
        async with self._begin() as tx:
            results = await tx.messages.cancel(correlation_ids)
            await tx.commit()
        return results
