"""Handing interactions to the delivery layer, in the caller's transaction [MET-80]."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nxt_domain.messaging.model import Device, NewMessage, RelayNode, RequestData, SetDate, SetTime
from nxt_domain.meters.commands import TOKENS, command_of, phases_of, plugin_of
from nxt_domain.meters.model import Interaction, InteractionType, Meter
from nxt_domain.shared.errors import Unprocessable
from nxt_domain.shared.json import Json, JsonObject


def messages_of(interaction: Interaction, meter: Meter) -> Sequence[NewMessage]:
    """Turn a queued interaction into the message, or three messages, that carry it [DM-175, MET-47].

    Raises:
        Unprocessable: The meter has no protocol, or a token command has no token yet.
    """
    protocol = meter.communication_protocol
    if protocol is None:
        raise Unprocessable("The meter has no communication protocol", code="UNSUPPORTED")
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


def all_messages(pairs: Iterable[tuple[Interaction, Meter]]) -> Sequence[NewMessage]:
    """Turn many interactions into messages, in ascending id of the interactions [R25]."""
    ordered = sorted(pairs, key=lambda pair: pair[0].id)
    return [message for interaction, meter in ordered for message in messages_of(interaction, meter)]


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
