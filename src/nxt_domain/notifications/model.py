"""A text message and the proof that a gateway took it."""

from __future__ import annotations

import re

import attrs

from nxt_domain.shared.errors import InvalidInput

_E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
MAX_TEXT_CHARACTERS = 1_600
"""Ten parts of a concatenated message; nobody means to pay for more."""


def mask_phone(phone: str) -> str:
    """Hide a number's middle, for logs: ``+2348…21``."""
    return f"{phone[:5]}…{phone[-2:]}" if len(phone) > 9 else "…"


def is_phone(text: str) -> bool:
    """Whether a text is one E.164 number with its plus."""
    return _E164.fullmatch(text) is not None


@attrs.frozen(kw_only=True)
class SmsMessage:
    """A text message to one phone.

    Its ``repr`` shows neither the number nor the text, which may hold a token (R49).

    Attributes:
        to_phone: E.164 with the plus.
        text: What the reader sees, without the operator's prefix.

    Raises:
        InvalidInput: No such number, or no text: the row is unusable [AUTO-85].
    """

    to_phone: str = attrs.field(repr=mask_phone)
    text: str = attrs.field(repr=lambda text: f"<{len(text)} characters>")

    def __attrs_post_init__(self) -> None:
        if not is_phone(self.to_phone):
            raise InvalidInput("phone must be an E.164 number", code="UNUSABLE_NOTIFICATION")
        if not self.text.strip():
            raise InvalidInput("message should not be empty", code="UNUSABLE_NOTIFICATION")
        if len(self.text) > MAX_TEXT_CHARACTERS:
            raise InvalidInput(
                f"message must be at most {MAX_TEXT_CHARACTERS} characters", code="UNUSABLE_NOTIFICATION"
            )


@attrs.frozen(kw_only=True)
class SmsReceipt:
    """The gateway has taken a message.

    Attributes:
        reference: Its id there; delivery reports name it [AUTO-91].
    """

    reference: str
