"""Password hashes of local logins: scrypt, written ``scrypt$n$r$p$salt$hash`` with salt and hash in base64."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os

from nxt_domain.identity.logins import LoginRefused

SHORTEST = 6
LONGEST = 200
_COST, _BLOCK, _LANES, _LENGTH = 2**14, 8, 1, 32
_MAX_MEMORY = 64 * 1024 * 1024


def require_password(password: str) -> None:
    """Refuse a password that is too short, or long enough to be a burden.

    Raises:
        LoginRefused: In the words that sign-in pages know.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise LoginRefused(f"Password should be at least {SHORTEST} characters.", code="WEAK_PASSWORD")


def hash_password(password: str) -> str:
    """Return the text to store; slow on purpose, some 50 ms."""
    salt = os.urandom(16)
    digest = _scrypt(password, salt, _COST, _BLOCK, _LANES)
    return "$".join(("scrypt", str(_COST), str(_BLOCK), str(_LANES), _text(salt), _text(digest)))


def fits(password: str, stored: str | None) -> bool:
    """Tell whether a password is the one that was stored; a text of another kind never fits."""
    try:
        kind, cost, block, lanes, salt, digest = (stored or "").split("$")
        if kind != "scrypt":
            return False
        expected = base64.b64decode(digest, validate=True)
        actual = _scrypt(password, base64.b64decode(salt, validate=True), int(cost), int(block), int(lanes))
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(actual, expected)


def _scrypt(password: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=cost, r=block, p=lanes, maxmem=_MAX_MEMORY, dklen=_LENGTH
    )  # fmt: skip


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
