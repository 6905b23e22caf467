"""What stand-alone device messaging tells becomes a row, once, and is applied like an event of the embedded mode."""

from __future__ import annotations

from nxt_domain.messaging.events import delivery_event_from_payload, delivery_task
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory
from nxt_domain.shared.wakeups import Channel, WakeUps


class ReceiveDeliveryEvent:
    """Stores events; their keys stay known for longer than the seven days of [DM-177].

    Args:
        begin: Opens a transaction.
        wakeups: Wakes who applies them.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[UnitOfWork], wakeups: WakeUps) -> None:
        self._begin = begin
        self._wakeups = wakeups

    async def __call__(self, payload: object) -> None:
        """Store one event; the same ``eventId`` again has no effect [DM-163].

        Args:
            payload: The body, decoded and authentic.

        Raises:
            InvalidInput: It is no event.
            Unavailable: Nothing was stored.
        """
        task = delivery_task(delivery_event_from_payload(payload))
        async with self._begin() as tx:
            await tx.outbox.add([task])
            await tx.commit()
        self._wakeups.hint(Channel.OUTBOX)
