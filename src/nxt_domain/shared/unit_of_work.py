"""One use case, one transaction: load, decide, save, commit once."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self, TypeVar

from nxt_domain.shared.outbox import Outbox

T_co = TypeVar("T_co", covariant=True)


class UnitOfWork(Protocol):
    """An open transaction. Left without ``commit``, it changes nothing.

    Contexts extend this protocol with the repositories they need; one adapter offers them all, so a use case sees
    only what it asked for.
    """

    @property
    def outbox(self) -> Outbox:
        """Where effects outside the database are stored."""

    async def commit(self) -> None:
        """Make everything done so far durable, together.

        Raises:
            Conflict: Another transaction was first (unique key, conditional update).
            Unavailable: The database can't be reached; nothing was stored.
        """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


UnitOfWorkFactory = Callable[[], T_co]
"""Opens a new transaction: ``async with self._begin() as tx: …``."""
