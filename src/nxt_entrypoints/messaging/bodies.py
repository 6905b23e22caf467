"""What the routes take, key by key [DM 2.2, DM 14]."""

from __future__ import annotations

from typing import Final

from nxt_domain.messaging.mint import MINTABLE
from nxt_domain.messaging.model import UNSOLICITED_COMMANDS, CommandType, Phase
from nxt_entrypoints.http.strict import Either, Items, Members, Node, Number, OrNull, Tagged, Text, Words

_UINT32: Final = 4_294_967_295
_LONGEST_ID: Final = 512
"""Ids stand in indexes, whose entries are limited."""

ENQUEUEABLE: Final = [command.value for command in CommandType if command not in UNSOLICITED_COMMANDS]

_REFERENCE = Text(min_length=1, max_length=_LONGEST_ID)
CORRELATION_ID: Final = Text(min_length=1, max_length=_LONGEST_ID, description="The adopter's id; opaque.")


def _whole(minimum: int, maximum: int) -> Number:
    return Number(is_whole=True, minimum=minimum, maximum=maximum)


_SET_DATE = Members(required={"year": _whole(0, 9999), "month": _whole(1, 12), "day": _whole(1, 31)})
_SET_TIME = Members(required={"hour": _whole(0, 23), "minute": _whole(0, 59)}, optional={"second": _whole(0, 59)})

_RELAY_NODE = Members(
    optional={
        "id": _whole(0, _UINT32),
        "externalReference": _REFERENCE,
        "snr": Number(),
        "rssi": Number(),
    }
)
DEVICE: Final = Members(
    required={"type": Words(["ELECTRICITY_METER"]), "externalReference": _REFERENCE},
    optional={"relayNode": _RELAY_NODE},
)
ENQUEUE: Final = Members(
    required={
        "commandType": Words(ENQUEUEABLE),
        "priority": Number(description="Higher is more urgent."),
        "pluginId": Text(description="Who delivers it."),
        "networkId": OrNull(_whole(0, _UINT32)),
        "device": DEVICE,
    },
    optional={
        "requestData": Members(
            optional={
                "token": Text(),
                "payload": Either(kinds=[_SET_DATE, _SET_TIME], message="must be a date or a time of day"),
            }
        ),
        "phase": Words([phase.value for phase in Phase]),
        "correlationId": CORRELATION_ID,
    },
)
CANCEL: Final = Members(required={"correlationId": CORRELATION_ID})
CANCEL_MANY: Final = Members(required={"correlationIds": Items(item=CORRELATION_ID, min_items=1)})

_TOKEN_DEVICE = Members(required={"externalReference": _REFERENCE}, optional={"decoderKey": Text()})
_AMOUNTS = {CommandType.TOP_UP_KWH: "kwh", CommandType.SET_POWER_LIMIT: "powerLimit"}


def _token(kind: CommandType) -> Members:
    required: dict[str, Node] = {
        "type": Words([kind.value]),
        "pluginId": Text(),
        "issueDateString": Text(min_length=1),
        "device": _TOKEN_DEVICE,
    }
    amount = _AMOUNTS.get(kind)
    return Members(required=required | ({"payload": Members(required={amount: Number()})} if amount else {}))


TOKEN: Final = Tagged(tag="type", kinds={kind.value: _token(kind) for kind in sorted(MINTABLE)})
