"""Commands that a flow of our own gives to a meter, one at a time, in the flow's transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import attrs

from nxt_domain.meters.commands import priority_of
from nxt_domain.meters.gatekeeper import judge
from nxt_domain.meters.model import (
    LARGEST_TOP_UP_KWH,
    Interaction,
    InteractionStatus,
    InteractionType,
    Meter,
    NewInteraction,
    Origin,
)
from nxt_domain.meters.news import Operation, socket_event
from nxt_domain.meters.ports import MetersTransaction
from nxt_domain.meters.use_cases.hand_over import hand_over
from nxt_domain.meters.use_cases.top_ups import TokenMakers, alerts_of_haste, needs_decoder_key, random_nonce
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Unprocessable
from nxt_domain.tokens.model import TokenClass, TokenRequest, TokenReservation
from nxt_domain.tokens.ports import LocalTokenMaker
from nxt_domain.tokens.rules import minute_of, next_issue_time, refuse_far_ahead

_TOKENS: Final[Mapping[InteractionType, TokenClass]] = {
    InteractionType.TOP_UP: TokenClass.TOP_UP,
    InteractionType.CLEAR_CREDIT: TokenClass.CLEAR_CREDIT,
}


@attrs.frozen(kw_only=True)
class MeterCommand:
    """What a meter shall do.

    Attributes:
        energy_kwh: Of a ``TOP_UP``, a multiple of 0.1.
        author_id: Account on whose behalf.
        lives: How long it may wait; None: until it is done.
    """

    type: InteractionType
    energy_kwh: Decimal | None = None
    author_id: int | None = None
    lives: timedelta | None = None


class MeterCommands:
    """Makes an interaction, its token and its message together.

    Args:
        clock: Tells the time.
        makers: Who makes the tokens of each protocol; only those that work in this process serve here.
        nonce: Draws a token's random number.
    """

    def __init__(self, *, clock: Clock, makers: TokenMakers, nonce: Callable[[], int] = random_nonce) -> None:
        self._clock = clock
        self._makers = makers
        self._nonce = nonce

    def makes_tokens_for(self, meter: Meter) -> bool:
        """Whether a meter's tokens are made in this process, at once."""
        return self._maker(meter) is not None

    async def give(self, tx: MetersTransaction, meter: Meter, command: MeterCommand) -> Interaction:
        """Store a command, judged by the gatekeeper, and hand it over if it may go out.

        Args:
            tx: Holds the meter's lock.
            meter: As loaded under that lock.
            command: What it shall do.

        Returns:
            The interaction; ``ABORTED`` or ``FAILED`` at once where it can't be done.

        Raises:
            Unprocessable: Its tokens are made elsewhere, or the energy is more than anybody buys.
            SecretLost: The meter's key can't be opened.
            InvalidInput: The token can't be made.
        """
        now = self._clock.now()
        issue = await self._issue(tx, meter, command, now) if command.type in _TOKENS else None
        twins = {} if meter.grid_id is None else await tx.grids.twins([meter.grid_id])
        twin = None if meter.grid_id is None else twins.get(meter.grid_id)
        verdict = judge(command.type, meter, twin, now)
        (stored,) = await tx.interactions.add(
            [
                NewInteraction(
                    meter_id=meter.id,
                    type=command.type,
                    status=verdict.status,
                    origin=Origin.USER,
                    priority=priority_of(command.type, Origin.USER),
                    organization_id=meter.organization_id,
                    token=None if issue is None else issue[1],
                    token_issued_at=None if issue is None else issue[0].issued_at,
                    energy_kwh=command.energy_kwh,
                    delivery_failures=() if verdict.failure is None else (verdict.failure,),
                    resolution=verdict.resolution,
                    expires_at=None if command.lives is None else now + command.lives,
                    author_id=command.author_id,
                )
            ]
        )
        if issue is not None:
            await self._reserve(tx, stored, command, issue, now)
        ready = [(stored, meter)] if stored.status is InteractionStatus.QUEUED else []
        refused = await hand_over(tx, ready, now)
        made = refused[0] if refused else stored
        news = socket_event(Operation.CREATE, made, meter)
        await tx.outbox.add([] if news is None else [news])
        return made

    async def _issue(
        self, tx: MetersTransaction, meter: Meter, command: MeterCommand, now: datetime
    ) -> tuple[TokenRequest, str]:
        maker = self._maker(meter)
        if maker is None:
            text = f"Tokens of meter {meter.external_reference} are not made here"
            raise Unprocessable(text, code="TOKENS_MADE_ELSEWHERE")
        if command.energy_kwh is not None and command.energy_kwh > LARGEST_TOP_UP_KWH:
            raise Unprocessable(f"Amount is too large for meter {meter.external_reference}", code="AMOUNT_TOO_LARGE")
        taken = await tx.token_issues.taken_minutes([meter.id], minute_of(now))
        issued_at = next_issue_time(last=meter.last_sts_token_issued_at, now=now, taken_minutes=taken.get(meter.id, ()))
        refuse_far_ahead(issued_at, now)
        keys = await tx.decoder_keys.of_meters([meter.id]) if needs_decoder_key(self._makers, meter) else {}
        request = TokenRequest(
            token_class=_TOKENS[command.type],
            meter_number=meter.external_reference,
            issued_at=issued_at,
            nonce=self._nonce(),
            energy_kwh=command.energy_kwh,
            decoder_key=keys.get(meter.id),
        )
        return request, maker.make(request)

    async def _reserve(
        self,
        tx: MetersTransaction,
        stored: Interaction,
        command: MeterCommand,
        issue: tuple[TokenRequest, str],
        now: datetime,
    ) -> None:
        request, token = issue
        reservation = TokenReservation(
            meter_id=stored.meter_id,
            interaction_id=stored.id,
            token_class=request.token_class,
            issued_at=request.issued_at,
            nonce=request.nonce,
            value=command.energy_kwh,
            token=token,
        )
        await tx.token_issues.reserve([reservation])
        await tx.outbox.add(alerts_of_haste([reservation], now))

    def _maker(self, meter: Meter) -> LocalTokenMaker | None:
        protocol = meter.communication_protocol
        maker = None if protocol is None else self._makers.get(protocol)
        return maker if isinstance(maker, LocalTokenMaker) else None
