"""Password hashes: scrypt, as ``scrypt$n$r$p$salt$hash`` in base64."""

import base64
import binascii
import hashlib
import hmac
import os

_N, _R, _P, _LENGTH = 2**14, 8, 1, 32
_MAX_MEMORY = 64 * 1024 * 1024


def hash_password(password: str, *, salt: bytes | None = None) -> str:
    """Return the text for ``auth.users.encrypted_password``."""
    salt = salt if salt is not None else os.urandom(16)
    digest = _scrypt(password, salt, _N, _R, _P)
    return "$".join(("scrypt", str(_N), str(_R), str(_P), _text(salt), _text(digest)))


def verify_password(password: str, stored: str | None) -> bool:
    """Tell whether the password fits the stored text; a text of another kind never fits."""
    try:
        kind, n, r, p, salt, digest = (stored or "").split("$")
        if kind != "scrypt":
            return False
        expected = base64.b64decode(digest, validate=True)
        actual = _scrypt(password, base64.b64decode(salt, validate=True), int(n), int(r), int(p))
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(actual, expected)


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=_MAX_MEMORY, dklen=_LENGTH)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
