"""One ChirpStack event to one event of ours: pure, and total over any JSON [DM 10.4]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TypeAlias

import attrs

from nxt_adapters.chirpstack.calin import MeterAnswer, UndecodableFrame, decode_uplink
from nxt_adapters.chirpstack.calin.hexadecimal import hex_of_base64
from nxt_domain.messaging.model import (
    CommandType,
    DeliveryStatus,
    Device,
    DeviceEvent,
    EventHalf,
    ExecutionStatus,
    FailureContext,
    HalfKind,
    RelayNode,
    Response,
)

NOT_ACKNOWLEDGED = "Downlink not acknowledged by device (may be offline, out of range, or missed RX window)"

_DEV_EUI_LENGTH = 16
_DEV_EUI_PREFIX = 5
_ADDRESS_DIGITS = 12
_MAX_ID_LENGTH = 128
_PLAUSIBLE_SIGNAL = 1_000
_PLAUSIBLE_SIGNAL_DIGITS = 4


@attrs.frozen(kw_only=True)
class Ignored:
    """A post without use.

    Attributes:
        reason: Why, for a log.
        undecodable: Set when it was an uplink with a frame that is none.
        frame_hex: That frame's bytes, as far as they are base64.
    """

    reason: str
    undecodable: UndecodableFrame | None = None
    frame_hex: str = ""


@attrs.frozen(kw_only=True)
class Translation:
    """What a post means.

    Attributes:
        result: An event, half of one, or nothing.
        meter: Meter number of the DevEUI; None when there is none.
        foreign_address: The frame's address where it is not that of the DevEUI [DM-86].
    """

    result: DeviceEvent | EventHalf | Ignored
    meter: str | None = None
    foreign_address: str | None = None


_Body: TypeAlias = Mapping[object, object]


def translate(event: str | None, body: object, *, by_shape: bool = False) -> Translation:
    """Translate one post of ChirpStack's HTTP integration.

    Args:
        event: Query parameter ``event``: ``up``, ``ack``, ``txack``, ``join``, or another, or none.
        body: The decoded JSON.
        by_shape: Whether the body decides when ``event`` is missing or empty [DM-186].
    """
    if not isinstance(body, Mapping):
        return Translation(result=Ignored(reason="the body is no object"))
    kind = event or (kind_by_shape(body) if by_shape else None)
    reader = _READERS.get(kind or "")
    if reader is None:
        return Translation(result=Ignored(reason="the event is of no use here"))
    eui = _dev_eui(body)
    if eui is None:
        return Translation(result=Ignored(reason="deviceInfo.devEui is not a text of 16 characters"))
    return attrs.evolve(reader(body, eui), meter=eui[_DEV_EUI_PREFIX:])


def kind_by_shape(body: object) -> str | None:
    """Tell the event by what the body has; the first match counts [DM-186]; None: by none."""
    if not isinstance(body, Mapping):
        return None
    if "downlinkId" in body:
        return "txack"
    if "acknowledged" in body:
        return "ack"
    if "data" in body:
        return "up"
    return "join" if "devAddr" in body else None


def _dev_eui(body: _Body) -> str | None:
    info = body.get("deviceInfo")
    eui = _identifier(info.get("devEui")) if isinstance(info, Mapping) else None
    return eui if eui is not None and len(eui) == _DEV_EUI_LENGTH else None


def _txack(body: _Body, eui: str) -> Translation:
    downlink = body.get("downlinkId")
    if not isinstance(downlink, str | int | float | Decimal) or isinstance(downlink, bool):
        return Translation(result=Ignored(reason="txack without downlinkId"))
    return Translation(
        result=DeviceEvent(
            delivery_status=DeliveryStatus.SENT_TO_DEVICE,
            device=_device(eui),
            delivery_queue_id=_identifier(body.get("queueItemId")),
        )
    )


def _ack(body: _Body, eui: str) -> Translation:
    item, is_done = _identifier(body.get("queueItemId")), body.get("acknowledged")
    deduplication = body.get("deduplicationId")
    if item is None or not isinstance(is_done, bool) or not isinstance(deduplication, str):
        return Translation(result=Ignored(reason="ack without what it needs"))
    if not is_done:
        return Translation(
            result=DeviceEvent(
                delivery_status=DeliveryStatus.DELIVERY_FAILED,
                device=_device(eui),
                delivery_queue_id=item,
                failure=FailureContext(reason=NOT_ACKNOWLEDGED),
            )
        )
    if _identifier(deduplication) is None:
        return Translation(result=Ignored(reason="ack without deduplicationId"))
    return Translation(
        result=EventHalf(
            kind=HalfKind.ACK,
            deduplication_id=deduplication,
            device=_device(eui),
            delivery_queue_id=item,
        )
    )


def _up(body: _Body, eui: str) -> Translation:
    data, heard = body.get("data"), body.get("rxInfo")
    deduplication = _identifier(body.get("deduplicationId"))
    if not isinstance(data, str) or not isinstance(heard, list) or deduplication is None:
        return Translation(result=Ignored(reason="up without what it needs"))
    try:
        answer = decode_uplink(data)
    except UndecodableFrame as refused:
        frame_hex = hex_of_base64(data)
        return Translation(result=Ignored(reason="undecodable frame", undecodable=refused, frame_hex=frame_hex))
    device = _device(eui, _best_gateway(heard))
    result = _report(device, answer) if answer.is_report else _answer_half(device, answer, deduplication)
    return Translation(result=result, foreign_address=_foreign_address(answer, eui))


def _join(_body: _Body, eui: str) -> Translation:
    return Translation(
        result=DeviceEvent(
            delivery_status=DeliveryStatus.DELIVERY_SUCCESSFUL,
            device=_device(eui),
            command_type=CommandType.JOIN_NETWORK,
            response=Response(status=ExecutionStatus.EXECUTION_SUCCESS, data={"networkJoined": True}),
            unsolicited=True,
        )
    )


_READERS: Mapping[str, Callable[[_Body, str], Translation]] = {
    "txack": _txack,
    "ack": _ack,
    "up": _up,
    "join": _join,
}


def _report(device: Device, answer: MeterAnswer) -> DeviceEvent:
    return DeviceEvent(
        delivery_status=DeliveryStatus.DELIVERY_SUCCESSFUL,
        device=device,
        command_type=CommandType.READ_REPORT,
        response=_response(answer),
        unsolicited=True,
    )


def _answer_half(device: Device, answer: MeterAnswer, deduplication: str) -> EventHalf:
    reason = answer.failure_reason
    return EventHalf(
        kind=HalfKind.UP,
        deduplication_id=deduplication,
        device=device,
        response=_response(answer),
        failure=None if reason is None else FailureContext(reason=reason),
    )


def _response(answer: MeterAnswer) -> Response:
    done, refused = ExecutionStatus.EXECUTION_SUCCESS, ExecutionStatus.EXECUTION_FAILURE
    return Response(status=done if answer.is_success else refused, data=answer.data)


def _foreign_address(answer: MeterAnswer, eui: str) -> str | None:
    is_own = answer.address is None or answer.address == eui[-_ADDRESS_DIGITS:].lower()
    return None if is_own else answer.address


def _device(eui: str, relay_node: RelayNode | None = None) -> Device:
    return Device(external_reference=eui[_DEV_EUI_PREFIX:], relay_node=relay_node)


def _best_gateway(heard: list[object]) -> RelayNode | None:
    """Pick the gateway with the highest snr, then the highest rssi, then the first [DM-103]."""
    nodes = [node for entry in heard if (node := _relay_node(entry)) is not None]
    return max(nodes, key=_strength, default=None)


def _strength(node: RelayNode) -> tuple[float, float]:
    return node.snr or 0, node.rssi or 0


def _relay_node(entry: object) -> RelayNode | None:
    gateway = _identifier(entry.get("gatewayId")) if isinstance(entry, Mapping) else None
    if gateway is None or not isinstance(entry, Mapping):
        return None
    return RelayNode(external_reference=gateway, snr=_signal(entry.get("snr")), rssi=_signal(entry.get("rssi")))


def _signal(value: object) -> int | float:
    """Read a figure in dB or dBm; what is missing, or no signal can have, counts as 0 [DM-103]."""
    if isinstance(value, Decimal):
        # Looked at before it is computed with: an exponent of millions must cost nothing.
        is_sane = value.is_finite() and value.adjusted() < _PLAUSIBLE_SIGNAL_DIGITS
        value = float(value) if is_sane else 0
    if not isinstance(value, int | float) or isinstance(value, bool):
        return 0
    return value if abs(value) <= _PLAUSIBLE_SIGNAL else 0


def _identifier(value: object) -> str | None:
    """Return an id that can stand in a row and a log: a short text of visible ASCII, not empty."""
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_ID_LENGTH:
        return None
    return value if value.isascii() and value.isprintable() else None
