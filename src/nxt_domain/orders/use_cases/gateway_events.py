"""Webhooks of the gateway: stored and answered at once, believed only after the gateway was asked [PAY-70 … PAY-72]."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import attrs

from nxt_domain.orders.gateway import Charge, IncomingEvent, StoredEvent
from nxt_domain.orders.model import Order
from nxt_domain.orders.ports import OrdersTransaction
from nxt_domain.orders.references import is_storable
from nxt_domain.orders.use_cases.verification import PaymentVerification, Reach, Verification, charge_of
from nxt_domain.shared.alerts import alert
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Unavailable
from nxt_domain.shared.json import Json
from nxt_domain.shared.outbox import OutboxTask
from nxt_domain.shared.wakeups import Channel, WakeUps

GATEWAY_EVENT = "GATEWAY_EVENT"
"""Kind of the outbox task that follows an event: it brings the event its lease, its repeats and their waits."""

IGNORED = "IGNORED"


class ReceiveGatewayEvent:
    """Stores what came in. Whatever the body holds, it is stored or ignored, never an error [API-38].

    Args:
        begin: Opens a transaction.
        read_event: Reads a body in any of the gateway's forms; total.
        wake_ups: Wakes the processing.
    """

    def __init__(
        self,
        *,
        begin: Callable[[], OrdersTransaction],
        read_event: Callable[[Json], IncomingEvent],
        wake_ups: WakeUps,
    ) -> None:
        self._begin = begin
        self._read_event = read_event
        self._wake_ups = wake_ups

    async def __call__(self, merchant: str, body: Json) -> bool:
        """Store a body whose sender was authenticated.

        Args:
            merchant: Merchant account whose address it came to.
            body: Any JSON.

        Returns:
            False if it was delivered before, and nothing changed.

        Raises:
            Unavailable: It can't be stored, so that the gateway must deliver it again.
        """
        event = self._read_event(body)
        # A reference that no order can have is as good as none.
        waits = event.is_charge and event.reference is not None and is_storable(event.reference)
        async with self._begin() as tx:
            event_id = await tx.gateway_events.add(merchant, event, result=None if waits else IGNORED)
            if event_id is not None and waits:
                task = OutboxTask(
                    kind=GATEWAY_EVENT,
                    dedupe_key=f"gateway-event:{event_id}",
                    payload={"event_id": event_id},
                    stream_key=f"payment:{event.reference}",
                )
                await tx.outbox.add([task])
            await tx.commit()
        if event_id is not None and waits:
            self._wake_ups.hint(Channel.GATEWAY_EVENTS)
        return event_id is not None


@attrs.frozen(kw_only=True)
class _Waiting:
    """An event to be processed, with what it speaks of, if we know that."""

    event: StoredEvent
    order: Order | None
    charge: Charge | None


@attrs.frozen(kw_only=True)
class _Processed:
    """What became of an event."""

    event_id: int
    result: str
    tasks: Sequence[OutboxTask] = ()


class ProcessGatewayEvents:
    """Works off stored events; a repeat of one that is processed changes nothing.

    Args:
        begin: Opens a transaction.
        verification: Asks the gateway and concludes.
        clock: Tells the time.
    """

    def __init__(
        self, *, begin: Callable[[], OrdersTransaction], verification: PaymentVerification, clock: Clock
    ) -> None:
        self._begin = begin
        self._verification = verification
        self._clock = clock

    async def __call__(self, event_ids: Sequence[int]) -> None:
        """Process events side by side, each to its end whatever befalls the others.

        Raises:
            GatewayNotReached: Some could not be asked about and must come back later; the others are done.
            Unavailable: The database can't be reached.
        """
        waiting = await self._load(event_ids)
        outcomes = await asyncio.gather(*(self._process(item) for item in waiting), return_exceptions=True)
        await self._finish([outcome for outcome in outcomes if isinstance(outcome, _Processed)])
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _load(self, event_ids: Sequence[int]) -> Sequence[_Waiting]:
        """Read the events that still wait, with their orders and charges."""
        async with self._begin() as tx:
            events = [event for event in await tx.gateway_events.find(event_ids) if not event.is_processed]
            orders = await tx.orders.find_all({event.reference for event in events if event.reference is not None})
            charges = await tx.charges.find_all([order.id for order in orders.values()])
            await tx.commit()
        found = [(event, orders.get(event.reference or "")) for event in events]
        return [
            _Waiting(
                event=event, order=order, charge=None if order is None else charge_of(order, charges.get(order.id))
            )
            for event, order in found
            if event.reference is not None
        ]

    async def _process(self, waiting: _Waiting) -> _Processed:
        event, order, charge = waiting.event, waiting.order, waiting.charge
        if order is None or charge is None:
            return _Processed(event_id=event.id, result=IGNORED)
        if charge.merchant != event.merchant:
            return _Processed(event_id=event.id, result=IGNORED, tasks=[self._other_merchant(event, order, charge)])
        return _Processed(event_id=event.id, result=_word(await self._verify(event, order, charge)))

    async def _finish(self, processed: Sequence[_Processed]) -> None:
        if not processed:
            return
        async with self._begin() as tx:
            await tx.gateway_events.finish({done.event_id: done.result for done in processed})
            await tx.outbox.add([task for done in processed for task in done.tasks])
            await tx.commit()

    def _other_merchant(self, event: StoredEvent, order: Order, charge: Charge) -> OutboxTask:
        """An event may only touch orders of the account whose address it came to [PAY-87]."""
        text = f"An event of {event.merchant} names order {order.id}, which is paid through {charge.merchant}"
        facts = {"event_id": event.id, "order_id": order.id}
        return alert("EVENT_OF_OTHER_MERCHANT", f"order:{order.id}", text, at=self._clock.now(), facts=facts)

    async def _verify(self, event: StoredEvent, order: Order, charge: Charge) -> Verification | None:
        """Ask about the reference, and about the event's own transaction if that is another one [PAY-76, PAY-77]."""
        verification = None
        named = event.gateway_tx_id
        if not order.is_paid:
            verification = _reached(await self._verification.by_reference(order, charge))
            answer = verification.answer
            settled_by = answer.id if answer else None
        else:
            settled_by = charge.gateway_tx_id
        if named is None or named == settled_by or (order.is_paid and settled_by is None):
            return verification
        return _reached(await self._verification.by_id(order, charge, named))


class GatewayNotReached(Unavailable):
    """The gateway could not be asked, so the event must come back."""

    default_code = "GATEWAY_NOT_REACHED"


def _reached(verification: Verification) -> Verification:
    if verification.reach is Reach.UNREACHED:
        raise GatewayNotReached("The gateway could not be asked")
    return verification


def _word(verification: Verification | None) -> str:
    if verification is None:
        return "NOTHING"
    return verification.verdict if verification.reach is Reach.ANSWERED else verification.reach
