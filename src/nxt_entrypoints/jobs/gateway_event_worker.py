"""Works off stored webhooks of the payment gateway: a lane of the outbox relay with a wake-up of its own [PAY-72]."""

from __future__ import annotations

from collections.abc import Sequence

from nxt_domain.orders.use_cases.gateway_events import GATEWAY_EVENT, ProcessGatewayEvents
from nxt_domain.shared.outbox import ClaimedTask, OutboxQueue
from nxt_domain.shared.wakeups import Channel, WakeUps
from nxt_entrypoints.jobs.relay import Lane, OutboxRelay

_AT_ONCE = 10


def gateway_event_lane(process: ProcessGatewayEvents) -> Lane:
    """Make the lane that processes events, ten side by side.

    Leases, repeats with growing waits and takeover after a crash are the relay's; an event that is done already
    changes nothing when it comes again.
    """

    async def handle(tasks: Sequence[ClaimedTask]) -> None:
        event_ids = [task.payload["event_id"] for task in tasks]
        await process([event_id for event_id in event_ids if isinstance(event_id, int)])

    return Lane(kind=GATEWAY_EVENT, handle=handle, batch=_AT_ONCE)


def gateway_event_worker(
    *, process: ProcessGatewayEvents, queue: OutboxQueue, wake_ups: WakeUps, owner: str
) -> OutboxRelay:
    """Make the worker; ``await worker.run(stopping)`` runs it.

    Args:
        process: Processes events.
        queue: The outbox.
        wake_ups: Brings hints from the processes that receive webhooks.
        owner: Name of this process in leases.
    """
    return OutboxRelay(
        queue=queue,
        lanes=[gateway_event_lane(process)],
        owner=owner,
        woken=lambda: wake_ups.subscribe(Channel.GATEWAY_EVENTS),
    )
