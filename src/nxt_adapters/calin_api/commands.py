"""What both generations share of a command: its kind, what it must bring, and the bottleneck it waits for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum

from nxt_adapters.calin_api.errors import cannot
from nxt_domain.messaging.admission import queue_key
from nxt_domain.messaging.model import TOKEN_COMMANDS, CommandType, DeviceMessage, NewMessage, SetDate
from nxt_domain.shared.errors import InvalidInput

NOT_IMPLEMENTED = "Not implemented"
NO_PAYLOAD = "Can't perform a write request without a payload"
BAD_DATE = "Invalid payload for setting date"
NO_TOKEN = "Can't perform a token delivery without a token"  # noqa: S105 - a sentence about tokens
NO_RELAY_NODE = "device.relayNode.id is required"


class Kind(StrEnum):
    """The four sorts of tasks, by the word in the V2 paths."""

    READ = "Reading"
    CONTROL = "Control"
    WRITE = "Setting"
    TOKEN = "Token"  # noqa: S105 - a word of the vendor's


KINDS: Mapping[CommandType, Kind] = {
    CommandType.READ_CREDIT: Kind.READ,
    CommandType.READ_VOLTAGE: Kind.READ,
    CommandType.READ_CURRENT: Kind.READ,
    CommandType.READ_POWER: Kind.READ,
    CommandType.READ_POWER_LIMIT: Kind.READ,
    CommandType.READ_VERSION: Kind.READ,
    CommandType.READ_DATE: Kind.READ,
    CommandType.TURN_ON: Kind.CONTROL,
    CommandType.TURN_OFF: Kind.CONTROL,
    CommandType.SET_DATE: Kind.WRITE,
    **dict.fromkeys(TOKEN_COMMANDS, Kind.TOKEN),
}

SUPPORTED_COMMANDS = frozenset(KINDS)
"""What a CALIN meter behind a DCU can be told by either service [DM-6]."""


def kind_of(message: DeviceMessage) -> Kind:
    """Sort a command.

    Raises:
        SendFailed: ``Not implemented`` [DM-114].
    """
    kind = KINDS.get(message.command_type)
    if kind is None:
        raise cannot(NOT_IMPLEMENTED)
    return kind


def token_of(message: DeviceMessage) -> str:
    """Return the token of a token command.

    Raises:
        SendFailed: There is none, or a blank one [DM-114].
    """
    token = message.request_data.token if message.request_data else None
    if token is None or not token.strip():
        raise cannot(NO_TOKEN)
    return token.strip()


def date_of(message: DeviceMessage) -> date:
    """Return the day that a meter's calendar is set to [DM-113].

    Raises:
        SendFailed: There is none, or no such day.
    """
    payload = message.request_data.payload if message.request_data else None
    if payload is None:
        raise cannot(NO_PAYLOAD)
    if not isinstance(payload, SetDate):
        raise cannot(BAD_DATE)
    try:
        return payload.on_calendar()
    except InvalidInput as impossible:
        raise cannot(BAD_DATE) from impossible


class DcuIntake:
    """Implements ``Intake`` for either service: enough to enqueue, without a client.

    Args:
        plugin_id: Of the service's plug-in.
    """

    supported_commands: frozenset[CommandType] = SUPPORTED_COMMANDS

    def __init__(self, plugin_id: str) -> None:
        self.plugin_id = plugin_id

    def ready_queue(self, message: NewMessage) -> str:
        """Name the DCU, which is the bottleneck [DM-23].

        Raises:
            InvalidInput: The message names none [DM-24].
        """
        node = message.device.relay_node
        if node is None or node.id is None:
            raise InvalidInput(NO_RELAY_NODE)
        return queue_key(self.plugin_id, "dcu", node.id)
