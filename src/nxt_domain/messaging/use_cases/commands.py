"""Commands from outside, each a transaction of its own: enqueue, look up, cancel [DM 14.2 to 14.4]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nxt_domain.messaging.model import CancelResult, DeviceMessage, NewMessage
from nxt_domain.messaging.stand_alone_ports import CommandTransaction
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_domain.shared.wakeups import Channel, WakeUps


class Commands:
    """Takes commands of an adopter that does not share the database.

    Args:
        begin: Opens a transaction.
        wakeups: Wakes the engine.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[CommandTransaction], wakeups: WakeUps) -> None:
        self._begin = begin
        self._wakeups = wakeups

    async def enqueue(self, message: NewMessage, *, request_key: str | None = None) -> str:
        """Store a message and return its id; it is durable when this returns [DM-145].

        Args:
            message: What to deliver. Two with the same correlation id are both delivered [DM-67].
            request_key: Names the request, so that one whose answer was lost can be sent again.

        Raises:
            InvalidInput: No plug-in takes it.
            Unavailable: The store can't be reached.
        """
        async with self._begin() as tx:
            (message_id,) = await tx.messages.enqueue([message])
            if request_key is not None:
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
