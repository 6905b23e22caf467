"""Cross-origin access to the API role [API-34, API-193]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

METHODS = "GET,HEAD,PUT,PATCH,POST,DELETE"
ANY = "*"


class Cors:
    """Makes CORS headers.

    Args:
        origins: ``["*"]``, or the only origins that browsers may call from.
    """

    def __init__(self, origins: Sequence[str] = (ANY,)) -> None:
        self._origins = frozenset(origins)

    def headers(self, request_headers: Mapping[str, str]) -> dict[str, str]:
        """Return what every response carries; never a credentials header."""
        if ANY in self._origins:
            return {"Access-Control-Allow-Origin": ANY}
        origin = request_headers.get("Origin")
        allowed = {"Access-Control-Allow-Origin": origin} if origin in self._origins and origin else {}
        # Caches must not serve one origin's answer to another.
        return {**allowed, "Vary": "Origin"}

    def preflight(self, request_headers: Mapping[str, str]) -> dict[str, str]:
        """Return what the answer to a preflight carries besides."""
        headers = {"Access-Control-Allow-Methods": METHODS}
        requested = request_headers.get("Access-Control-Request-Headers", "")
        # Echoed, so only what a header may hold.
        is_safe = requested != "" and requested.isascii() and requested.isprintable()
        return {**headers, "Access-Control-Allow-Headers": requested} if is_safe else headers
