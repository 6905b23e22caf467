"""AES-256-GCM with data keys from the environment (``NXT_SECRETS_KEYS``, R15)."""

from __future__ import annotations

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.secrets import Sealed, SecretLost

_NONCE_BYTES = 12
_KEY_BYTES = 32


class AesGcmBox:
    """``SecretBox``; twelve random bytes of nonce stand in front of each ciphertext.

    Args:
        keys: ``id:base64-32-bytes[,older…]``; the first seals, all open.

    Raises:
        InvalidInput: The text is not of that form; it is never part of the message.
    """

    def __init__(self, keys: str) -> None:
        self._keys = {key_id: AESGCM(key) for key_id, key in map(_parse, keys.split(","))}
        self._newest = next(iter(self._keys))

    @property
    def key_ids(self) -> frozenset[str]:
        """See ``SecretBox.key_ids``."""
        return frozenset(self._keys)

    @property
    def newest(self) -> str:
        """The key that seals."""
        return self._newest

    def seal(self, text: str, *, context: str) -> Sealed:
        """See ``SecretBox.seal``."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._keys[self._newest].encrypt(nonce, text.encode(), context.encode())
        return Sealed(ciphertext=nonce + sealed, key_id=self._newest)

    def open(self, sealed: Sealed, *, context: str) -> str:
        """See ``SecretBox.open``."""
        key = self._keys.get(sealed.key_id)
        if key is None:
            raise SecretLost(f"Data key {sealed.key_id} is not configured")
        nonce, text = sealed.ciphertext[:_NONCE_BYTES], sealed.ciphertext[_NONCE_BYTES:]
        try:
            return key.decrypt(nonce, text, context.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise SecretLost("A stored secret does not open with its key") from error


def _parse(item: str) -> tuple[str, bytes]:
    key_id, separator, text = item.strip().partition(":")
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if not (key_id and separator and len(key) == _KEY_BYTES):
        raise InvalidInput("NXT_SECRETS_KEYS must be id:base64-32-bytes[,older…]", code="CONFIGURATION")
    return key_id, key
