"""Secrets at rest: sealed before they reach a table, opened only where they are used [REL-154, R15]."""

from __future__ import annotations

import hmac
from typing import NoReturn, Protocol

import attrs

from nxt_domain.shared.errors import Unavailable


class SecretLost(Unavailable):
    """A secret can't be opened: the key it was sealed with is not at hand, or the text was tampered with."""

    default_code = "SECRET_LOST"


class SecretText:
    """A secret that is open for the moment of its use; it shows itself in no output.

    Args:
        text: The secret.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret."""
        return self._text

    def __repr__(self) -> str:
        return "SecretText(•••)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretText) and hmac.compare_digest(self._text.encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash(SecretText)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret leaves this process in no form")


@attrs.frozen(kw_only=True)
class Sealed:
    """An encrypted text.

    Attributes:
        ciphertext: Nonce and sealed bytes.
        key_id: Which data key opens it.
    """

    ciphertext: bytes = attrs.field(repr=False)
    key_id: str
    algorithm: str = "AES-256-GCM"


class SecretBox(Protocol):
    """Seals with the newest data key and opens with any that is known."""

    def seal(self, text: str, *, context: str) -> Sealed:
        """Encrypt a text.

        Args:
            text: The secret.
            context: What it belongs to, e.g. ``METER_DECODER_KEY:meter:31``; the same is needed to open it, so that a
                ciphertext moved to another row opens nothing.
        """

    def open(self, sealed: Sealed, *, context: str) -> str:
        """Decrypt a text.

        Raises:
            SecretLost: Its key is unknown, or it does not belong here.
        """

    @property
    def newest(self) -> str:
        """The key that seals."""

    @property
    def key_ids(self) -> frozenset[str]:
        """The keys at hand."""
