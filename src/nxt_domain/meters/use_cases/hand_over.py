"""Handing interactions to the delivery layer, in the caller's transaction [MET-80]."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from nxt_domain.messaging.model import Device, NewMessage, RelayNode, RequestData, SetDate, SetTime
from nxt_domain.meters.commands import TOKENS, command_of, phases_of, plugin_of
from nxt_domain.meters.failures import prepended
from nxt_domain.meters.model import (
    Interaction,
    InteractionFailure,
    InteractionStatus,
    InteractionType,
    Meter,
    Resolution,
)
from nxt_domain.meters.ports import MetersTransaction
from nxt_domain.shared.alerts import alert
from nxt_domain.shared.errors import DomainError, InvalidInput, Unprocessable
from nxt_domain.shared.json import Json, JsonObject
from nxt_domain.shared.outbox import OutboxTask

_Pair = tuple[Interaction, Meter]
_Refusal = tuple[Interaction, DomainError]


async def hand_over(tx: MetersTransaction, pairs: Iterable[_Pair], now: datetime) -> Sequence[Interaction]:
    """Put queued interactions into the delivery layer's queue, in ascending id [R25].

    One that the layer can't take (its plug-in is unknown or can't route it) becomes ``FAILED`` [MET-80, DM-176]: it
    must stop neither its neighbours nor the payment that caused it.

    Args:
        tx: The transaction that stored them; it holds the locks of the meters.
        pairs: Interactions with their meters.
        now: Aware UTC.

    Returns:
        Those refused, as stored; telling dashboards of them is up to the caller.
    """
    ordered = sorted(pairs, key=lambda pair: pair[0].id)
    return await end_refused(tx, await _enqueue(tx, ordered), now) if ordered else ()


async def _enqueue(tx: MetersTransaction, pairs: Sequence[_Pair]) -> Sequence[_Refusal]:
    """Enqueue what the layer takes, and return the rest."""
    try:
        await tx.messages.enqueue([message for pair in pairs for message in messages_of(*pair)])
    except (InvalidInput, Unprocessable) as why:
        if len(pairs) == 1:
            return [(pairs[0][0], why)]
        # Nothing was stored. Rare: who is refused is found by trying each alone.
        return [refusal for pair in pairs for refusal in await _enqueue(tx, [pair])]
    return ()


async def end_refused(tx: MetersTransaction, refusals: Sequence[_Refusal], now: datetime) -> Sequence[Interaction]:
    """End interactions that the delivery layer does not take [MET-80, DM-176]; a paid one alerts people."""
    ended = [_refused(interaction, why, now) for interaction, why in refusals]
    await tx.interactions.save(ended)
    await tx.outbox.add([_undeliverable(top_up, now) for top_up in ended if top_up.order_id is not None])
    return ended


def _refused(interaction: Interaction, why: DomainError, now: datetime) -> Interaction:
    record = InteractionFailure(
        timestamp=now, status=interaction.status, reason=why.message, code=why.code, is_final=True
    )
    return interaction.moved_to(
        InteractionStatus.FAILED,
        resolution=Resolution.DELIVERY_FAILED,
        delivery_failures=prepended([record], interaction.delivery_failures),
        updated_at=now,
    )


def _undeliverable(top_up: Interaction, now: datetime) -> OutboxTask:
    text = "A paid top-up can't be delivered; its token stays valid for manual entry"
    facts = {"interaction_id": top_up.id, "order_id": top_up.order_id, "meter_id": top_up.meter_id}
    return alert("TOP_UP_FAILED", f"interaction:{top_up.id}", text, at=now, facts=facts)


def messages_of(interaction: Interaction, meter: Meter) -> Sequence[NewMessage]:
    """Turn a queued interaction into the message, or three messages, that carry it [DM-175, MET-47].

    Raises:
        Unprocessable: The meter has no protocol, or a token command has no token yet.
    """
    protocol = meter.communication_protocol
    if protocol is None:
        raise Unprocessable("Unsupported communication protocol: null", code="UNSUPPORTED")
    if interaction.type in TOKENS and interaction.token is None:
        raise Unprocessable(f"Interaction {interaction.id} has no token yet", code="TOKEN_MISSING")
    return [
        NewMessage(
            command_type=command_of(interaction.type),
            priority=float(interaction.priority),
            plugin_id=plugin_of(protocol),
            device=_device(meter),
            request_data=_request_data(interaction),
            phase=phase,
            network_id=meter.grid_id,
            correlation_id=str(interaction.id),
        )
        for phase in phases_of(interaction.type, meter.phase, protocol)
    ]


def _device(meter: Meter) -> Device:
    relay_node = None
    if meter.dcu_id is not None:
        relay_node = RelayNode(id=meter.dcu_id, external_reference=meter.dcu_external_reference)
    return Device(external_reference=meter.external_reference, relay_node=relay_node)


def _request_data(interaction: Interaction) -> RequestData | None:
    payload = _clock_payload(interaction)
    if interaction.token is None and payload is None:
        return None
    return RequestData(token=interaction.token, payload=payload)


def _clock_payload(interaction: Interaction) -> SetDate | SetTime | None:
    facts: JsonObject = interaction.payload or {}
    if interaction.type is InteractionType.SET_DATE:
        return SetDate(year=_int(facts["year"]), month=_int(facts["month"]), day=_int(facts["day"]))
    if interaction.type is InteractionType.SET_TIME:
        second = facts.get("second")
        return SetTime(
            hour=_int(facts["hour"]),
            minute=_int(facts["minute"]),
            second=None if second is None else _int(second),
        )
    return None


def _int(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unprocessable("Date and time parts must be integers", code="VALUE_REFUSED")
    return value
