"""The ``TOP_UP_COMMAND`` task of an order: token and message, when the settlement could not make them [R1, R2]."""

from __future__ import annotations

from datetime import datetime

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
from nxt_domain.meters.use_cases.hand_over import hand_over
from nxt_domain.meters.use_cases.top_ups import (
    TokenMakers,
    alerts_of_haste,
    credit_fences,
    is_fenced,
    needs_decoder_key,
    random_nonce,
)
from nxt_domain.shared.alerts import alert
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import DomainError, InvalidInput, NotFound, Unavailable
from nxt_domain.shared.secrets import SecretText
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_domain.shared.wakeups import Channel, WakeUps
from nxt_domain.tokens.model import TokenClass, TokenRequest, TokenReservation
from nxt_domain.tokens.ports import LocalTokenMaker, TokenBadAnswer, TokenOutcomeUnknown, TokenRefused
from nxt_domain.tokens.rules import minute_of, next_issue_time, refuse_far_ahead

_PERMANENT = (TokenRefused, TokenOutcomeUnknown, InvalidInput)
_TOKEN_FAILED = "TOKEN_FAILED"  # noqa: S105 - a code's name


@attrs.frozen(kw_only=True)
class _Held:
    """A top-up and its meter, their rows locked; and the meter's key, once it is needed."""

    interaction: Interaction
    meter: Meter
    decoder_key: SecretText | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do: it ended, with its token or for want of one."""
        status, token = self.interaction.status, self.interaction.token
        if status in {InteractionStatus.SUCCESSFUL, InteractionStatus.FAILED}:
            return True
        return status is InteractionStatus.ABORTED and (token is not None or self.was_refused)

    @property
    def was_refused(self) -> bool:
        """Whether the vendor said no, or may have booked the sale: it is never asked again [MET-75, PAY-115]."""
        return any(record.code == _TOKEN_FAILED for record in self.interaction.delivery_failures)


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
            Unavailable: Something must happen first (a vendor is down, a key's data key is not at hand, an older
                command is under way, the grid of a top-up without token is away); try again.
        """
        held, reservation = await self._reserve(order_id)
        if held.is_over:
            return
        token = held.interaction.token or reservation.token
        if token is None:
            try:
                token = await self._make(held, reservation)
            except _PERMANENT as refusal:
                await self._give_up(order_id, refusal)
                return
            except TokenBadAnswer as wrong:
                await self._tell_of_wrong_answer(order_id, wrong)
                raise
        await self._hand_over(order_id, token, reservation)
        self._wakeups.hint(Channel.MESSAGING, Channel.OUTBOX)

    async def _reserve(self, order_id: int) -> tuple[_Held, TokenReservation]:
        async with self._begin() as tx:
            held = await self._hold(tx, order_id)
            reserved = (await tx.token_issues.of_interactions([held.interaction.id])).get(held.interaction.id)
            if reserved is None:
                reserved = await self._new_reservation(tx, held)
                await tx.token_issues.reserve([reserved])
                await tx.outbox.add(alerts_of_haste([reserved], self._clock.now()))
            held = await self._with_key(tx, held)
            await tx.commit()
            return held, reserved

    async def _with_key(self, tx: MetersTransaction, held: _Held) -> _Held:
        if held.interaction.token is not None or not needs_decoder_key(self._makers, held.meter):
            return held
        keys = await tx.decoder_keys.of_meters([held.meter.id])
        return attrs.evolve(held, decoder_key=keys.get(held.meter.id))

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
            token=held.interaction.token,
        )

    async def _make(self, held: _Held, reservation: TokenReservation) -> str:
        if held.was_refused:
            raise TokenRefused("an earlier attempt ended for good")
        protocol = held.meter.communication_protocol
        maker = None if protocol is None else self._makers.get(protocol)
        if maker is None:
            raise TokenRefused(f"no token vendor is configured for {protocol}")
        request = TokenRequest(
            token_class=TokenClass.TOP_UP,
            meter_number=held.meter.external_reference,
            issued_at=reservation.issued_at,
            nonce=reservation.nonce,
            energy_kwh=held.interaction.energy_kwh,
            decoder_key=held.decoder_key,
        )
        refuse_far_ahead(reservation.issued_at, self._clock.now())
        return maker.make(request) if isinstance(maker, LocalTokenMaker) else await maker.request(request)

    async def _hand_over(self, order_id: int, token: str, reservation: TokenReservation) -> None:
        now = self._clock.now()
        async with self._begin() as tx:
            held = await self._hold(tx, order_id)
            interaction = await self._with_token(tx, held.interaction, token, reservation)
            is_waiting = interaction.status is InteractionStatus.QUEUED
            is_held_back = is_waiting and is_fenced(interaction, await credit_fences(tx, [held.meter.id]))
            if is_waiting and not is_held_back and await tx.messages.get(str(interaction.id)) is None:
                refused = await hand_over(tx, [(interaction, held.meter)], now)
                news = (socket_event(Operation.UPDATE, failed, held.meter) for failed in refused)
                await tx.outbox.add([task for task in news if task is not None])
            await tx.commit()
        if is_held_back:
            raise Unavailable(f"The top-up of order {order_id} waits for an older CLEAR_CREDIT", code="FENCED")

    async def _with_token(
        self, tx: MetersTransaction, interaction: Interaction, token: str, reservation: TokenReservation
    ) -> Interaction:
        """Store the token, unless there is one: an order has one token at most [PAY-115]."""
        if interaction.token is not None:
            return interaction
        given = attrs.evolve(
            interaction, token=token, token_issued_at=reservation.issued_at, updated_at=self._clock.now()
        )
        await tx.interactions.save([given])
        await tx.token_issues.complete(given.id, token)
        return given

    async def _give_up(self, order_id: int, refusal: DomainError) -> None:
        """Write down that there will be no token, with an alert [R2].

        Raises:
            Unavailable: The top-up is suspended: it can't fail before it is released [MET-58].
        """
        now = self._clock.now()
        async with self._begin() as tx:
            held = await self._hold(tx, order_id)
            if held.is_over or held.interaction.token is not None:
                return
            after = _without_token(held.interaction, refusal, now, is_news=not held.was_refused)
            await tx.interactions.save([after])
            text = "A paid top-up has no token"
            await tx.outbox.add([alert(_TOKEN_FAILED, f"order:{order_id}", text, at=now, facts={"order_id": order_id})])
            if after.status is not held.interaction.status:
                news = socket_event(Operation.UPDATE, after, held.meter)
                await tx.outbox.add([] if news is None else [news])
            await tx.commit()
        if not after.status.is_final:
            raise Unavailable(f"Order {order_id} has no token; its top-up is {after.status}", code=_TOKEN_FAILED)

    async def _tell_of_wrong_answer(self, order_id: int, wrong: TokenBadAnswer) -> None:
        """A vendor that makes other tokens than were ordered is no matter of patience alone [STS-70]."""
        now = self._clock.now()
        facts = {"order_id": order_id, "reason": wrong.message}
        async with self._begin() as tx:
            await tx.outbox.add(
                [alert(wrong.code, f"order:{order_id}", "The token vendor gave a wrong token", at=now, facts=facts)]
            )
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


def _without_token(interaction: Interaction, refusal: DomainError, now: datetime, *, is_news: bool) -> Interaction:
    ends = interaction.status.may_become(InteractionStatus.FAILED)
    record = InteractionFailure(
        timestamp=now,
        status=interaction.status,
        reason=f"Failed to generate token because {refusal.message}",
        code=_TOKEN_FAILED,
        details="outcome unknown" if isinstance(refusal, TokenOutcomeUnknown) else None,
        is_final=ends or interaction.status.is_final,
    )
    if not is_news and not ends:
        return interaction
    noted = attrs.evolve(
        interaction, delivery_failures=prepended([record], interaction.delivery_failures), updated_at=now
    )
    return noted.moved_to(InteractionStatus.FAILED, resolution=Resolution.TOKEN_FAILED) if ends else noted
