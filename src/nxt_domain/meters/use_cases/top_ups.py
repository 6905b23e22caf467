"""From a settled order to a command on its way to the meter [PAY-113, R1]."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import attrs

from nxt_domain.grids.model import CommunicationProtocol, GridTwin
from nxt_domain.meters.commands import priority_of
from nxt_domain.meters.gatekeeper import Verdict, judge
from nxt_domain.meters.model import (
    LARGEST_TOP_UP_KWH,
    Interaction,
    InteractionStatus,
    InteractionType,
    Meter,
    NewInteraction,
    Origin,
)
from nxt_domain.meters.news import Operation, socket_event, top_up_command
from nxt_domain.meters.ports import MetersTransaction
from nxt_domain.meters.use_cases.hand_over import hand_over
from nxt_domain.shared.alerts import alert
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import DomainError
from nxt_domain.shared.outbox import OutboxTask
from nxt_domain.shared.secrets import SecretLost, SecretText
from nxt_domain.tokens.model import TokenClass, TokenRequest, TokenReservation
from nxt_domain.tokens.ports import LocalTokenMaker, TokenVendor
from nxt_domain.tokens.rules import is_ahead_of_clock, minute_of, next_issue_time, refuse_far_ahead

TokenMakers = Mapping[CommunicationProtocol, LocalTokenMaker | TokenVendor]
"""Who makes the tokens of each protocol's meters [R29]."""


def random_nonce() -> int:
    """Draw 0…15 from a cryptographic source [DM-135]."""
    return secrets.randbelow(16)


@attrs.frozen(kw_only=True)
class TopUpRequest:
    """A settled order that bought energy.

    Attributes:
        energy_kwh: None: no tariff was found; only a task is left, until there is one [PAY-104].
    """

    order_id: int
    meter_id: int
    energy_kwh: Decimal | None


@attrs.frozen(kw_only=True)
class _Draft:
    request: TopUpRequest
    meter: Meter
    verdict: Verdict
    issued_at: datetime
    nonce: int
    decoder_key: SecretText | None

    def token_request(self) -> TokenRequest:
        return TokenRequest(
            token_class=TokenClass.TOP_UP,
            meter_number=self.meter.external_reference,
            issued_at=self.issued_at,
            nonce=self.nonce,
            energy_kwh=self.request.energy_kwh,
            decoder_key=self.decoder_key,
        )


class TopUpCommands:
    """Makes the ``TOP_UP`` interactions of settled orders inside the settlement's transaction.

    Args:
        clock: Tells the time.
        makers: By protocol; one that works in this process puts the message into the same transaction, any other
            leaves a ``TOP_UP_COMMAND`` task.
        nonce: Draws a token's random number.
    """

    def __init__(self, *, clock: Clock, makers: TokenMakers, nonce: Callable[[], int] = random_nonce) -> None:
        self._clock = clock
        self._makers = makers
        # Who works in this process is found out once: asking a protocol costs as much as half a token.
        self._local = {protocol: maker for protocol, maker in makers.items() if isinstance(maker, LocalTokenMaker)}
        self._nonce = nonce

    async def create_for_orders(self, tx: MetersTransaction, requests: Sequence[TopUpRequest]) -> None:
        """Make interactions, tokens and messages of many orders, set-based, in ascending id of the orders.

        Args:
            tx: The settlement's transaction; it holds the locks of the orders.
            requests: At most one per order; an order that has its interaction already changes nothing.
        """
        now = self._clock.now()
        meters = await tx.meters.lock({request.meter_id for request in requests})
        known = await tx.interactions.of_orders([request.order_id for request in requests])
        wanted = sorted((r for r in requests if r.order_id not in known), key=lambda request: request.order_id)
        twins = await tx.grids.twins({meter.grid_id for meter in meters.values() if meter.grid_id is not None})
        priced = [request for request in wanted if _is_deliverable(request) and request.meter_id in meters]
        drafts = await self._drafts(tx, priced, meters, twins, now)
        stored = await tx.interactions.add([self._new_interaction(draft, now) for draft in drafts])
        of_order = {draft.request.order_id: draft for draft in drafts}
        pairs = [(new, of_order[new.order_id]) for new in stored if new.order_id is not None]
        await self._finish(tx, pairs, wanted, now)

    async def _drafts(
        self,
        tx: MetersTransaction,
        requests: Sequence[TopUpRequest],
        meters: Mapping[int, Meter],
        twins: Mapping[int, GridTwin],
        now: datetime,
    ) -> Sequence[_Draft]:
        taken = await tx.token_issues.taken_minutes(set(meters), minute_of(now))
        last = {meter.id: meter.last_sts_token_issued_at for meter in meters.values()}
        keys = await decoder_keys(tx, self._makers, list(meters.values()))
        drafts = []
        for request in requests:
            meter = meters[request.meter_id]
            issued_at = next_issue_time(last=last[meter.id], now=now, taken_minutes=taken.get(meter.id, ()))
            last[meter.id] = issued_at
            twin = None if meter.grid_id is None else twins.get(meter.grid_id)
            verdict = judge(InteractionType.TOP_UP, meter, twin, now)
            drafts.append(
                _Draft(
                    request=request,
                    meter=meter,
                    verdict=verdict,
                    issued_at=issued_at,
                    nonce=self._nonce(),
                    decoder_key=keys.get(meter.id),
                )
            )
        return drafts

    def _new_interaction(self, draft: _Draft, now: datetime) -> NewInteraction:
        failure = draft.verdict.failure
        return NewInteraction(
            meter_id=draft.meter.id,
            type=InteractionType.TOP_UP,
            status=draft.verdict.status,
            origin=Origin.ORDER,
            priority=priority_of(InteractionType.TOP_UP, Origin.ORDER),
            organization_id=draft.meter.organization_id,
            token=self._local_token(draft, now),
            token_issued_at=draft.issued_at,
            energy_kwh=draft.request.energy_kwh,
            order_id=draft.request.order_id,
            delivery_failures=() if failure is None else (failure,),
            resolution=draft.verdict.resolution,
        )

    def _local_token(self, draft: _Draft, now: datetime) -> str | None:
        """Make the token here if that is possible; a refusal is the task's business, not the payment's [R2]."""
        protocol = draft.meter.communication_protocol
        maker = None if protocol is None else self._local.get(protocol)
        if maker is None:
            return None
        try:
            refuse_far_ahead(draft.issued_at, now)
            return maker.make(draft.token_request())
        except DomainError:
            return None

    async def _finish(
        self,
        tx: MetersTransaction,
        stored: Sequence[tuple[Interaction, _Draft]],
        wanted: Sequence[TopUpRequest],
        now: datetime,
    ) -> None:
        reservations = [_reservation(interaction, draft) for interaction, draft in stored]
        await tx.token_issues.reserve(reservations)
        await tx.outbox.add(alerts_of_haste(reservations, now))
        clears = await credit_fences(tx, {interaction.meter_id for interaction, _ in stored})
        ready = [
            (interaction, draft.meter)
            for interaction, draft in stored
            if interaction.token is not None
            and interaction.status is InteractionStatus.QUEUED
            and not is_fenced(interaction, clears)
        ]
        refused = {interaction.id: interaction for interaction in await hand_over(tx, ready, now)}
        settled = {interaction.order_id for interaction, _ in ready}
        news = (socket_event(Operation.CREATE, refused.get(new.id, new), draft.meter) for new, draft in stored)
        await tx.outbox.add(
            [
                *(task for task in news if task is not None),
                *(top_up_command(request.order_id) for request in wanted if request.order_id not in settled),
            ]
        )


async def decoder_keys(tx: MetersTransaction, makers: TokenMakers, meters: Sequence[Meter]) -> Mapping[int, SecretText]:
    """Open the keys of the meters whose maker needs them.

    A key that can't be opened must not hold up a payment: the task of its order says so [R2].
    """
    wanted = [meter.id for meter in meters if needs_decoder_key(makers, meter)]
    try:
        return await tx.decoder_keys.of_meters(wanted) if wanted else {}
    except SecretLost:
        return {}


def needs_decoder_key(makers: TokenMakers, meter: Meter) -> bool:
    """Whether the meter's tokens are made from its key."""
    maker = None if meter.communication_protocol is None else makers.get(meter.communication_protocol)
    return maker is not None and maker.needs_decoder_key


def alerts_of_haste(reservations: Sequence[TokenReservation], now: datetime) -> Sequence[OutboxTask]:
    """Tell operators of meters whose tokens run ahead of the clock [STS-63]."""
    hasty = {each.meter_id for each in reservations if is_ahead_of_clock(each.issued_at, now)}
    text = "A meter has got so many tokens that their minutes run more than an hour ahead"
    return [
        alert("TOKENS_AHEAD_OF_CLOCK", f"meter:{meter_id}", text, at=now, facts={"meter_id": meter_id})
        for meter_id in sorted(hasty)
    ]


async def credit_fences(tx: MetersTransaction, meter_ids: Collection[int]) -> Sequence[Interaction]:
    """Load the unfinished ``CLEAR_CREDIT`` commands of meters [MET-117]."""
    return await tx.interactions.unfinished(meter_ids, {InteractionType.CLEAR_CREDIT})


def is_fenced(top_up: Interaction, clears: Sequence[Interaction]) -> bool:
    """Whether a top-up must wait: a ``CLEAR_CREDIT`` that is older, but later done, would wipe it out [MET-117]."""
    return any(clear.meter_id == top_up.meter_id and clear.id < top_up.id for clear in clears)


def _is_deliverable(request: TopUpRequest) -> bool:
    """Whether there is a price, and the energy is not beyond reason; else only the task is left [R1, R13]."""
    return request.energy_kwh is not None and 0 < request.energy_kwh <= LARGEST_TOP_UP_KWH


def _reservation(interaction: Interaction, draft: _Draft) -> TokenReservation:
    return TokenReservation(
        meter_id=draft.meter.id,
        interaction_id=interaction.id,
        token_class=TokenClass.TOP_UP,
        issued_at=draft.issued_at,
        nonce=draft.nonce,
        value=draft.request.energy_kwh,
        token=interaction.token,
    )
