"""Group commit: what arrives while a transaction is under way goes into the next one together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from nxt_domain.shared.errors import Unavailable

T = TypeVar("T")


class GroupCommit(Generic[T]):
    """Hands items to ``write`` in batches, one batch at a time, in the order they came.

    An item that arrives alone is written at once; under load, batches grow by themselves and the store sees one
    transaction where it would have seen hundreds.

    Args:
        write: Makes a batch durable, all or nothing.
        limit: Items in one batch at most.
    """

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[None]], *, limit: int = 500) -> None:
        self._write = write
        self._limit = limit
        self._waiting: deque[tuple[T, asyncio.Future[None]]] = deque()
        self._writer: asyncio.Task[None] | None = None

    async def submit(self, item: T) -> None:
        """Return when the item is durable.

        A caller that is cancelled does not take its item back.

        Raises:
            Unavailable: The store can't be reached; the item was not written.
            Exception: Whatever ``write`` raised for this item alone.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self._writer is None or self._writer.done():
            # It writes for many callers, so it carries the context of none.
            self._writer = asyncio.create_task(self._drain(), name="group-commit", context=Context())
        await done

    async def _drain(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(self._limit, len(self._waiting)))]
            try:
                await self._settle(batch)
            except BaseException:
                for _, done in batch:
                    if not done.done():
                        done.cancel()
                raise

    async def _settle(self, batch: Sequence[tuple[T, asyncio.Future[None]]]) -> None:
        failure = await self._attempt([item for item, _ in batch])
        if failure is None or isinstance(failure, Unavailable) or len(batch) == 1:
            for _, done in batch:
                _resolve(done, failure)
            return
        # One item spoils the batch: write the others without it.
        for item, done in batch:
            _resolve(done, await self._attempt([item]))

    async def _attempt(self, items: Sequence[T]) -> Exception | None:
        try:
            await self._write(items)
        except Exception as failure:  # noqa: BLE001 - handed to the one who submitted the item
            return failure
        return None


def _resolve(done: asyncio.Future[None], failure: Exception | None) -> None:
    if done.done():  # its caller was cancelled
        return
    if failure is None:
        done.set_result(None)
    else:
        done.set_exception(failure)
