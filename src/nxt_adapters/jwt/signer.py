"""Tokens signed with a private key, for a tool that knows the public one [API-60]."""

from __future__ import annotations

from collections.abc import Mapping

import jwt

from nxt_domain.shared.errors import Unavailable


class Rs256Signer:
    """``TokenSigner`` with RS256.

    Args:
        private_key: ``PRIVATE_KEY``, PEM.
    """

    def __init__(self, private_key: str) -> None:
        self._private_key = private_key

    def sign(self, claims: Mapping[str, object]) -> str:
        """See ``TokenSigner.sign``.

        Raises:
            Unavailable: The key is no RSA key.
        """
        try:
            return jwt.encode(dict(claims), self._private_key, algorithm="RS256")
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise Unavailable("Tokens can't be signed: PRIVATE_KEY is no RSA key", code="NOT_CONFIGURED") from error
