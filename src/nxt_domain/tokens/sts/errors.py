"""The ways in which the codec says no: it can't make the token, or it can't read it."""

from __future__ import annotations

from enum import StrEnum

from nxt_domain.shared.errors import InvalidInput


class Refusal(StrEnum):
    """Why a token or key is not made; the stable codes of STS-6, and those of the field tool's inputs."""

    DECODER_KEY_MISSING = "TOKEN_DECODER_KEY_MISSING"
    DECODER_KEY_INVALID = "TOKEN_DECODER_KEY_INVALID"
    AMOUNT_INVALID = "TOKEN_AMOUNT_INVALID"
    AMOUNT_TOO_LARGE = "TOKEN_AMOUNT_TOO_LARGE"
    POWER_LIMIT_INVALID = "TOKEN_POWER_LIMIT_INVALID"
    NONCE_INVALID = "TOKEN_NONCE_INVALID"
    ISSUE_TIME_INVALID = "TOKEN_ISSUE_TIME_INVALID"
    KEY_EXPIRED = "TOKEN_KEY_EXPIRED"
    KIND_UNSUPPORTED = "TOKEN_KIND_UNSUPPORTED"
    VALUE_INVALID = "TOKEN_VALUE_INVALID"
    METER_NUMBER_INVALID = "METER_NUMBER_INVALID"
    PAN_INVALID = "PAN_INVALID"
    VENDING_KEY_INVALID = "VENDING_KEY_INVALID"
    KEY_PARAMETERS_INVALID = "KEY_PARAMETERS_INVALID"
    ALGORITHM_UNSUPPORTED = "ALGORITHM_UNSUPPORTED"
    KEY_CHANGE_REFUSED = "KEY_CHANGE_REFUSED"
    UNCONFIRMED = "UNCONFIRMED"


class CannotEncode(InvalidInput):
    """The inputs make no token or key; repeating is pointless [STS-6].

    Args:
        reason: Its stable code.
        message: One sentence for people; never holds a key or a token.
    """

    def __init__(self, reason: Refusal, message: str) -> None:
        super().__init__(message, code=reason.value)
        self.reason = reason


class TokenFault(StrEnum):
    """Why a token can't be read [STS-55]."""

    FORMAT = "FORMAT"
    CRC = "CRC"
    UNSUPPORTED = "UNSUPPORTED"
    KEY_MISSING = "KEY_MISSING"


class UnreadableToken(InvalidInput):
    """The digits tell nothing, or nothing that is known.

    Args:
        fault: Why.
        message: One sentence for people.
        token_class: The class, 0…3, when at least that could be read.
        body: The raw 48 bits, when they are all that could be read.
    """

    def __init__(
        self, fault: TokenFault, message: str, *, token_class: int | None = None, body: int | None = None
    ) -> None:
        super().__init__(message, code=fault.value)
        self.fault = fault
        self.token_class = token_class
        self.body = body
