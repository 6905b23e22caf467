"""The two ways in which the codec says no."""

from __future__ import annotations

from enum import StrEnum

from nxt_domain.shared.errors import InvalidInput


class FrameFault(StrEnum):
    """What is wrong with a received frame; label ``reason`` of the metric [DM-80]."""

    BASE64 = "base64"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    TOO_SHORT = "too_short"
    START = "start"
    END = "end"
    CONTROL = "control"
    CHECKSUM = "checksum"
    IDENTIFIER = "identifier"
    BCD = "bcd"


class UndecodableFrame(InvalidInput):
    """The bytes are no frame that a meter may send; they yield no event [DM-80].

    Args:
        fault: What is wrong, for metrics.
        message: One sentence for people.
    """

    default_code = "UNDECODABLE_FRAME"

    def __init__(self, fault: FrameFault, message: str) -> None:
        super().__init__(message)
        self.fault = fault

    @property
    def reason(self) -> str:
        """The fault as a metric's label."""
        return self.fault.value


class CannotEncode(InvalidInput):
    """The command has no frame: unsupported, or its parameters are missing or out of range [DM-79].

    The text never holds a token.
    """

    default_code = "CANNOT_ENCODE"
