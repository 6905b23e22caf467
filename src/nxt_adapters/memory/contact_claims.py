"""E-mails and phones that are being given to somebody just now, in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nxt_domain.identity.rules import contact_keys


class MemoryContactClaims:
    """``ContactClaims`` of one process."""

    def __init__(self) -> None:
        self._held: set[str] = set()

    @asynccontextmanager
    async def claimed(self, *, email: str | None, phone: str | None) -> AsyncIterator[bool]:
        """See ``ContactClaims.claimed``."""
        wanted = set(contact_keys(email=email, phone=phone))
        mine = wanted - self._held
        self._held |= mine
        try:
            yield mine == wanted
        finally:
            self._held -= mine
