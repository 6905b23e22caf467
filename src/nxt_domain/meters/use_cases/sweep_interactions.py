"""No command waits for ever for a message that is not there [MET-80]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from nxt_domain.messaging.model import DeliveryEvent, DeliveryStatus, Device, FailureRecord
from nxt_domain.meters.commands import TOKENS, command_of, plugin_of
from nxt_domain.meters.model import Interaction, InteractionStatus, InteractionType, Meter
from nxt_domain.meters.news import Operation, socket_event
from nxt_domain.meters.ports import MetersTransaction
from nxt_domain.meters.use_cases.apply_delivery_events import apply_events
from nxt_domain.meters.use_cases.hand_over import hand_over
from nxt_domain.meters.use_cases.top_ups import credit_fences, is_fenced
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_domain.shared.wakeups import Channel, WakeUps

QUEUED_AT_LEAST: Final = timedelta(minutes=10)
PROCESSING_AT_LEAST: Final = timedelta(hours=49)

_PAGE = 200


class SweepInteractions:
    """Hands over again what waits without a message, and ends what was sent and then forgotten.

    Both are rare: somebody took the message away, or it outlived its time. A command that is handed over twice does no
    harm: a token counts once, and writes of a state say the same twice.

    Args:
        begin: Opens a transaction.
        clock: Tells the time.
        wakeups: Wakes the message engine and those who publish.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[MetersTransaction], clock: Clock, wakeups: WakeUps) -> None:
        self._begin = begin
        self._clock = clock
        self._wakeups = wakeups

    async def __call__(self) -> int:
        """Look at all there are, a page in each transaction, and return how many were lost."""
        lost, after_id = 0, 0
        while True:
            now = self._clock.now()
            async with self._begin() as tx:
                page = await tx.interactions.unattended(
                    queued_before=now - QUEUED_AT_LEAST,
                    processing_before=now - PROCESSING_AT_LEAST,
                    after_id=after_id,
                    limit=_PAGE,
                )
                lost += await _Sweep(tx, now).run(page)
                await tx.commit()
            if len(page) < _PAGE:
                break
            after_id = page[-1].id
        if lost:
            self._wakeups.hint(Channel.MESSAGING, Channel.OUTBOX)
        return lost


class _Sweep:
    def __init__(self, tx: MetersTransaction, now: datetime) -> None:
        self._tx = tx
        self._now = now

    async def run(self, page: Sequence[Interaction]) -> int:
        """Judge a page under the locks of its meters: whoever hands over holds them, too."""
        meters = await self._tx.meters.lock({interaction.meter_id for interaction in page})
        locked = (await self._tx.interactions.lock([interaction.id for interaction in page])).values()
        unsettled = await self._tx.messages.unsettled([str(interaction.id) for interaction in locked])
        lost = [i for i in locked if i.meter_id in meters and str(i.id) not in unsettled]
        waiting = await self._without_fence([i for i in lost if _waits_for_a_message(i, self._now)])
        forgotten = [i for i in lost if _was_forgotten(i, self._now)]
        await self._hand_over(waiting, meters)
        await apply_events(self._tx, [_lost(i, meters[i.meter_id], self._now) for i in forgotten], self._now)
        return len(waiting) + len(forgotten)

    async def _without_fence(self, waiting: Sequence[Interaction]) -> Sequence[Interaction]:
        top_ups = {interaction.meter_id for interaction in waiting if interaction.type is InteractionType.TOP_UP}
        clears = await credit_fences(self._tx, top_ups)
        return [i for i in waiting if i.type is not InteractionType.TOP_UP or not is_fenced(i, clears)]

    async def _hand_over(self, waiting: Sequence[Interaction], meters: Mapping[int, Meter]) -> None:
        refused = await hand_over(self._tx, [(i, meters[i.meter_id]) for i in waiting], self._now)
        news = (socket_event(Operation.UPDATE, failed, meters[failed.meter_id]) for failed in refused)
        await self._tx.outbox.add([task for task in news if task is not None])


def _waits_for_a_message(interaction: Interaction, now: datetime) -> bool:
    """Whether it could have been handed over long ago; a top-up without token is its order's task's business."""
    has_what_it_needs = interaction.type not in TOKENS or interaction.token is not None
    is_old = interaction.updated_at <= now - QUEUED_AT_LEAST
    return interaction.status is InteractionStatus.QUEUED and has_what_it_needs and is_old


def _was_forgotten(interaction: Interaction, now: datetime) -> bool:
    is_old = interaction.updated_at <= now - PROCESSING_AT_LEAST
    # One that is being looked into ends with the look.
    return interaction.status is InteractionStatus.PROCESSING and interaction.verification_state is None and is_old


def _lost(interaction: Interaction, meter: Meter, now: datetime) -> DeliveryEvent:
    """Tell of the end that nobody told: transmitted, then no usable answer [MET-121 UNKNOWN]."""
    record = FailureRecord(
        timestamp=now,
        status=DeliveryStatus.SENT_TO_DEVICE,
        reason="The command was sent, and its message is gone without an answer",
        is_final=True,
    )
    protocol = meter.communication_protocol
    return DeliveryEvent(
        event_id=f"lost:{interaction.id}",
        occurred_at=now,
        plugin_id="" if protocol is None else plugin_of(protocol),
        delivery_status=DeliveryStatus.DELIVERY_FAILED,
        device=Device(external_reference=meter.external_reference),
        correlation_id=str(interaction.id),
        command_type=command_of(interaction.type),
        failure_history=[record],
    )
