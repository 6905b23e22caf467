"""Who is let in, by which credentials."""

from __future__ import annotations

import aiohttp

from nxt_adapters.jwt.key_set import HttpKeySource, KeySet
from nxt_adapters.jwt.verifier import JwtVerifier
from nxt_domain.shared.clock import Clock
from nxt_entrypoints.settings.settings import Settings


def jwt_verifier(settings: Settings, clock: Clock, session: aiohttp.ClientSession) -> JwtVerifier:
    """Verify user tokens by the shared secret and by the identity provider's published keys [API-44]."""
    published = settings.text_or_none("SUPABASE_JWKS_URL")
    url = published or f"{settings.text('SUPABASE_API_URL').rstrip('/')}/auth/v1/.well-known/jwks.json"
    return JwtVerifier(
        clock=clock,
        secret=settings.text_or_none("SUPABASE_JWT_SECRET"),
        key_set=KeySet(HttpKeySource(url, session)),
    )


def internal_keys(settings: Settings) -> frozenset[str]:
    """Collect the accepted values of ``X-API-KEY`` between roles [API-57]."""
    names = ("INTERNAL_API_KEY", "TALOS_API_KEY")
    return frozenset(settings.text(name) for name in names if settings.has(name))
