"""Which meter the issue check tells all about: a key that every process sees, and that lapses by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from nxt_domain.shared.errors import Unavailable

_KEY: Final = "nxt:issue-check:focus"
_FOR: Final = timedelta(days=1)


class ValkeyCheckFocus:
    """``CheckFocus`` in Valkey.

    Args:
        client: The process's client.
    """

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def point_at(self, external_reference: str | None) -> None:
        """See ``CheckFocus.point_at``."""
        try:
            if external_reference is None:
                await self._client.delete(_KEY)
            else:
                await self._client.set(_KEY, external_reference, ex=_FOR)
        except (RedisError, OSError) as error:
            raise Unavailable("Valkey can't be reached") from error

    async def target(self) -> str | None:
        """See ``CheckFocus.target``."""
        try:
            found = await self._client.get(_KEY)
        except (RedisError, OSError) as error:
            raise Unavailable("Valkey can't be reached") from error
        return found.decode() if isinstance(found, bytes) else found
