"""Requests that named themselves, in memory."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_domain.shared.idempotency import LOCK, Answer, Claim, KeyedRequest, KeyRecord

KEPT = timedelta(days=7)


@attrs.frozen(kw_only=True)
class KeyRow:
    """A key that is taken."""

    request: KeyedRequest
    until: datetime
    expires_at: datetime
    is_used: bool = False
    answer: Answer | None = None

    def is_free_for(self, request: KeyedRequest, now: datetime) -> bool:
        """Tell whether a request may take the key over."""
        has_lapsed = self.until <= now and not self.is_used and self.request.is_same_as(request)
        return has_lapsed or self.expires_at <= now


class MemoryIdempotencyKeys:
    """Implements ``IdempotencyKeys``.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._rows: dict[tuple[str, str], KeyRow] = database.table("idempotency_keys")

    async def claim(self, request: KeyedRequest) -> Claim | KeyRecord:
        """See ``IdempotencyKeys.claim``."""
        async with self._database.lock:
            now, name = self._database.clock.now(), (request.scope, request.key)
            row = self._rows.get(name)
            if row is not None and not row.is_free_for(request, now):
                return KeyRecord(request=row.request, is_locked=row.until > now, answer=row.answer)
            until = now + LOCK
            self._rows[name] = KeyRow(request=request, until=until, expires_at=now + KEPT)
        return Claim(request=request, until=until)

    async def complete(self, claim: Claim, answer: Answer) -> None:
        """See ``IdempotencyKeys.complete``."""
        async with self._database.lock:
            row = self._own(claim)
            if row is not None:
                self._rows[_name(claim)] = attrs.evolve(row, is_used=True, answer=answer)

    async def release(self, claim: Claim) -> None:
        """See ``IdempotencyKeys.release``."""
        async with self._database.lock:
            row = self._own(claim)
            if row is not None and not row.is_used:
                del self._rows[_name(claim)]

    def _own(self, claim: Claim) -> KeyRow | None:
        row = self._rows.get(_name(claim))
        return row if row is not None and row.until == claim.until else None


def _name(claim: Claim) -> tuple[str, str]:
    return claim.request.scope, claim.request.key
