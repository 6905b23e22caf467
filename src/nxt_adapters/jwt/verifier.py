"""Verification of user tokens [API-44, API-45]."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt
from jwt.exceptions import PyJWTError

from nxt_adapters.jwt.key_set import KeySet
from nxt_domain.identity.model import TokenClaims
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Unauthenticated

SHARED_SECRET_ALGORITHMS = frozenset({"HS256", "HS384", "HS512"})
KEY_SET_ALGORITHMS = frozenset({"RS256", "ES256"})
AUDIENCE = "authenticated"

_REFUSAL = "Invalid or expired token"
_MAX_ID = 2_147_483_647
_LONGEST_TOKEN = 16_384

_log = logging.getLogger(__name__)


class JwtVerifier:
    """``TokenVerifier`` for tokens of Supabase Auth.

    The algorithm that a token names only chooses between the kinds of key that are configured; it never turns a public
    key into a shared secret, nor a secret into nothing.

    Args:
        clock: Decides over ``exp`` and ``nbf``, without leeway.
        secret: ``SUPABASE_JWT_SECRET``; None: shared secrets don't count.
        key_set: Published keys; None: asymmetric signatures don't count.

    Raises:
        ValueError: Neither is given.
    """

    def __init__(self, *, clock: Clock, secret: str | None = None, key_set: KeySet | None = None) -> None:
        if not secret and key_set is None:
            raise ValueError("a secret or a key set is needed to verify tokens")
        self._clock = clock
        self._secret = secret
        self._key_set = key_set

    async def verify(self, token: str) -> TokenClaims:
        """See ``TokenVerifier.verify``."""
        try:
            return self._claims(await self._payload(token))
        except (PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as reason:
            _log.debug("a user token was refused: %s", type(reason).__name__)
            raise Unauthenticated(_REFUSAL) from reason

    async def _payload(self, token: str) -> Mapping[str, Any]:
        if len(token) > _LONGEST_TOKEN or not token.isascii():
            raise ValueError("not a token")
        header = jwt.get_unverified_header(token)
        algorithm = str(header.get("alg"))
        key = await self._key(algorithm, header.get("kid"))
        # Times and audience are checked below: without leeway, and by the clock that is given.
        options: Any = dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_sub"), False)
        payload: Mapping[str, Any] = jwt.decode(token, key, algorithms=[algorithm], options=options)
        return payload

    async def _key(self, algorithm: str, key_id: object) -> Any:  # noqa: ANN401 - PyJWT's keys have no common type
        if algorithm in SHARED_SECRET_ALGORITHMS and self._secret:
            return self._secret
        if algorithm in KEY_SET_ALGORITHMS and self._key_set is not None and isinstance(key_id, str):
            key = await self._key_set.find(key_id)
            if key is not None and key.algorithm_name == algorithm:
                return key.key
        raise ValueError("no key for this token")

    def _claims(self, payload: Mapping[str, Any]) -> TokenClaims:
        now = self._clock.now().timestamp()
        expires = _time(payload["exp"]) if "exp" in payload else -math.inf
        if not now < expires:
            raise ValueError("expired")
        if payload.get("nbf") is not None and _time(payload["nbf"]) > now:
            raise ValueError("not valid yet")
        if not _is_for_us(payload.get("aud")):
            raise ValueError("another audience")
        return TokenClaims(
            subject=_text(payload.get("sub")),
            account_id=_id(_member(payload, "app_metadata", "account_id")),
            email=_text(payload.get("email")),
            full_name=_text(_member(payload, "user_metadata", "full_name")),
            expires_at=datetime.fromtimestamp(min(expires, datetime.max.replace(tzinfo=UTC).timestamp() - 1), UTC),
        )


def _time(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("not a time")
    return float(value)


def _is_for_us(audience: object) -> bool:
    return audience is None or audience == AUDIENCE or (isinstance(audience, list) and AUDIENCE in audience)


def _member(payload: Mapping[str, Any], name: str, member: str) -> object:
    part = payload.get(name)
    return part.get(member) if isinstance(part, dict) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _id(value: object) -> int | None:
    is_id = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MAX_ID
    return value if is_id and isinstance(value, int) else None
