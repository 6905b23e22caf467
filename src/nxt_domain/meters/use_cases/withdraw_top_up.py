"""Taking a paid top-up back before it reaches its meter [PAY-145]."""

from __future__ import annotations

from datetime import datetime

from nxt_domain.messaging.model import CancelResult
from nxt_domain.meters.model import Interaction, InteractionStatus
from nxt_domain.meters.news import Operation, socket_event
from nxt_domain.meters.ports import MetersTransaction
from nxt_domain.meters.withdrawals import is_withdrawn, withdrawn
from nxt_domain.shared.errors import Conflict


class TopUpBeyondRecall(Conflict):
    """The energy of an order has reached its meter, or may be on its way there."""

    default_code = "TOP_UP_BEYOND_RECALL"


async def withdraw_top_up(tx: MetersTransaction, order_id: int, now: datetime) -> Interaction | None:
    """Abort the command of an order, inside the caller's transaction.

    A command that ended without success is left as it is.

    Args:
        tx: Holds no lock of a meter yet [R25].
        order_id: The order that pays for it.
        now: Aware UTC.

    Returns:
        The command as it is now; None: the order has none.

    Raises:
        TopUpBeyondRecall: It succeeded, or was handed over and can't be taken back.
    """
    known = (await tx.interactions.of_orders([order_id])).get(order_id)
    if known is None:
        return None
    meter = (await tx.meters.lock([known.meter_id])).get(known.meter_id)
    command = (await tx.interactions.lock([known.id]))[known.id]
    if command.status is InteractionStatus.SUCCESSFUL:
        raise TopUpBeyondRecall(f"The top-up of order {order_id} has reached its meter")
    if command.status.is_final:
        return command
    taken_back = (await tx.messages.cancel([str(command.id)])).get(str(command.id), CancelResult.NOT_FOUND)
    if not is_withdrawn(command, taken_back):
        raise TopUpBeyondRecall(f"The top-up of order {order_id} is on its way to its meter")
    aborted = withdrawn(command, now, reason="The order that paid for it was reversed", code="REVERSED")
    await tx.interactions.save([aborted])
    news = None if meter is None else socket_event(Operation.UPDATE, aborted, meter)
    await tx.outbox.add([] if news is None else [news])
    return aborted
