"""The ``TOP_UP_COMMAND`` task of an order: token and message, when the settlement could not make them [R1, R2]."""

from __future__ import annotations

import attrs

from nxt_domain.meters.failures import prepended
from nxt_domain.meters.model import (
    Interaction,
    InteractionFailure,
    InteractionStatus,
    Meter,
    Resolution,
)
from nxt_domain.meters.news import Operation, socket_event
from nxt_domain.meters.ports import MetersTransaction
from nxt_domain.meters.use_cases.hand_over import all_messages
from nxt_domain.meters.use_cases.top_ups import TokenMakers, fenced_meters, random_nonce
from nxt_domain.shared.alerts import alert
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import DomainError, InvalidInput, NotFound, Unavailable
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_domain.shared.wakeups import Channel, WakeUps
from nxt_domain.tokens.model import TokenClass, TokenRequest, TokenReservation
from nxt_domain.tokens.ports import LocalTokenMaker, TokenOutcomeUnknown, TokenRefused
from nxt_domain.tokens.rules import minute_of, next_issue_time

_PERMANENT = (TokenRefused, TokenOutcomeUnknown, InvalidInput)


@attrs.frozen(kw_only=True)
class _Held:
    interaction: Interaction
    meter: Meter


class CompleteTopUp:
    """Gives a paid top-up its token, outside any transaction, and hands it over.

    Repeating it is safe: the reserved minute and nonce give the same token, and a live message is not enqueued again.

    Args:
        begin: Opens a transaction.
        clock: Tells the time.
        makers: Who makes the tokens of each protocol.
        wakeups: Wakes the message engine.
    """

    def __init__(
        self,
        *,
        begin: UnitOfWorkFactory[MetersTransaction],
        clock: Clock,
        makers: TokenMakers,
        wakeups: WakeUps,
    ) -> None:
        self._begin = begin
        self._clock = clock
        self._makers = makers
        self._wakeups = wakeups

    async def __call__(self, order_id: int) -> None:
        """Do what is still missing for one order.

        Raises:
            NotFound: The order has no interaction yet.
            Unavailable: Something must happen first (a vendor is down, an older command is under way); try again.
        """
        reservation, token = await self._reserve(order_id)
        if token is None:
            try:
                token = await self._make(reservation, order_id)
            except _PERMANENT as refusal:
                await self._give_up(order_id, refusal)
                return
        await self._hand_over(order_id, token)
        self._wakeups.hint(Channel.MESSAGING, Channel.OUTBOX)

    async def _reserve(self, order_id: int) -> tuple[TokenReservation, str | None]:
        async with self._begin() as tx:
            held = await self._hold(tx, order_id)
            reserved = (await tx.token_issues.of_interactions([held.interaction.id])).get(held.interaction.id)
            if reserved is None:
                reserved = await self._new_reservation(tx, held)
                await tx.token_issues.reserve([reserved])
                await tx.commit()
            return reserved, held.interaction.token or reserved.token

    async def _new_reservation(self, tx: MetersTransaction, held: _Held) -> TokenReservation:
        now = self._clock.now()
        taken = await tx.token_issues.taken_minutes([held.meter.id], minute_of(now))
        return TokenReservation(
            meter_id=held.meter.id,
            interaction_id=held.interaction.id,
            token_class=TokenClass.TOP_UP,
            issued_at=next_issue_time(
                last=held.meter.last_sts_token_issued_at, now=now, taken_minutes=taken.get(held.meter.id, ())
            ),
            nonce=random_nonce(),
            value=held.interaction.energy_kwh,
        )

    async def _make(self, reservation: TokenReservation, order_id: int) -> str:
        async with self._begin() as tx:
            held = await self._hold(tx, order_id)
        protocol = held.meter.communication_protocol
        maker = None if protocol is None else self._makers.get(protocol)
        if maker is None:
            raise TokenRefused(f"No token vendor is configured for {protocol}")
        request = TokenRequest(
            token_class=TokenClass.TOP_UP,
            meter_number=held.meter.external_reference,
            issued_at=reservation.issued_at,
            nonce=reservation.nonce,
            energy_kwh=held.interaction.energy_kwh,
        )
        return maker.make(request) if isinstance(maker, LocalTokenMaker) else await maker.request(request)

    async def _hand_over(self, order_id: int, token: str) -> None:
        async with self._begin() as tx:
            held = await self._hold(tx, order_id)
            interaction = attrs.evolve(held.interaction, token=token, updated_at=self._clock.now())
            await tx.interactions.save([interaction])
            await tx.token_issues.complete(interaction.id, token)
            is_waiting = interaction.status is InteractionStatus.QUEUED
            is_fenced = is_waiting and bool(await fenced_meters(tx, [held.meter.id]))
            if is_waiting and not is_fenced and await tx.messages.get(str(interaction.id)) is None:
                await tx.messages.enqueue(all_messages([(interaction, held.meter)]))
            await tx.commit()
        if is_fenced:
            raise Unavailable(f"The top-up of order {order_id} waits for an older CLEAR_CREDIT", code="FENCED")

    async def _give_up(self, order_id: int, refusal: DomainError) -> None:
        now = self._clock.now()
        async with self._begin() as tx:
            held = await self._hold(tx, order_id)
            if held.interaction.status is not InteractionStatus.QUEUED:
                return
            record = InteractionFailure(
                timestamp=now,
                status=InteractionStatus.QUEUED,
                reason=f"Failed to generate token because {refusal.message}",
                code="TOKEN_FAILED",
                details="outcome unknown" if isinstance(refusal, TokenOutcomeUnknown) else None,
                is_final=True,
            )
            failed = held.interaction.moved_to(
                InteractionStatus.FAILED,
                resolution=Resolution.TOKEN_FAILED,
                delivery_failures=prepended([record], held.interaction.delivery_failures),
                updated_at=now,
            )
            await tx.interactions.save([failed])
            news = socket_event(Operation.UPDATE, failed, held.meter)
            warning = alert(
                "TOKEN_FAILED", f"order:{order_id}", "A paid top-up has no token", at=now, facts={"order_id": order_id}
            )
            await tx.outbox.add([warning] if news is None else [warning, news])
            await tx.commit()

    async def _hold(self, tx: MetersTransaction, order_id: int) -> _Held:
        found = (await tx.interactions.of_orders([order_id])).get(order_id)
        if found is None:
            raise NotFound(f"Order {order_id} has no top-up command yet", code="NO_INTERACTION")
        meter = (await tx.meters.lock([found.meter_id])).get(found.meter_id)
        interaction = (await tx.interactions.lock([found.id])).get(found.id)
        if meter is None or interaction is None:
            raise NotFound(f"The meter of order {order_id} is gone", code="NO_METER")
        return _Held(interaction=interaction, meter=meter)
