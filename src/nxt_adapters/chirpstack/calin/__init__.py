"""CALIN meter frames over LoRaWAN: pure, strict and total functions between commands, bytes and answers [DM 9]."""

from nxt_adapters.chirpstack.calin.decode import MeterAnswer, decode_frame, decode_uplink
from nxt_adapters.chirpstack.calin.encode import SUPPORTED_COMMANDS, encode_command
from nxt_adapters.chirpstack.calin.errors import CannotEncode, FrameFault, UndecodableFrame

__all__ = [
    "SUPPORTED_COMMANDS",
    "CannotEncode",
    "FrameFault",
    "MeterAnswer",
    "UndecodableFrame",
    "decode_frame",
    "decode_uplink",
    "encode_command",
]
