"""Connections that the server cuts off under statements and commits, counted over all sessions of an engine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_domain.shared.errors import Unavailable


class Cuts:
    """Counts what an engine sends, and cuts off the sessions whose turn has come.

    A moment is: before a statement, after it, before a commit, or after one whose answer is then lost.

    Args:
        engine: Of the application.
        terminate: Ends a session at the server, by its process id.
    """

    def __init__(self, engine: AsyncEngine, terminate: Callable[[int], object]) -> None:
        self._engine = engine.sync_engine
        self._terminate = terminate
        self._planned: frozenset[int] = frozenset()
        self.moments = 0
        self.made = 0

    @contextmanager
    def planned(self, moments: Collection[int]) -> Iterator[None]:
        """Cut at these moments, counted from 1, while the context lasts."""
        self._planned, self.moments, self.made = frozenset(moments), 0, 0
        listeners = (
            ("before_cursor_execute", self._statement),
            ("after_cursor_execute", self._statement),
            ("commit", self._commit),
        )
        for name, listener in listeners:
            event.listen(self._engine, name, listener)
        try:
            yield
        finally:
            self._planned = frozenset()
            for name, listener in listeners:
                event.remove(self._engine, name, listener)

    def committed(self) -> None:
        """Tell of a commit that is durable.

        Raises:
            Unavailable: Nobody hears of it.
        """
        if self._is_due():
            raise Unavailable("cut off after the commit")

    def _statement(self, connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "pg_catalog.version" not in statement:  # of the pool's first connection
            self._cut_if_due(connection)

    def _commit(self, connection: Any) -> None:
        self._cut_if_due(connection)

    def _cut_if_due(self, connection: Any) -> None:
        if self._is_due():
            self._terminate(connection.connection.driver_connection.info.backend_pid)

    def _is_due(self) -> bool:
        self.moments += 1
        is_due = self.moments in self._planned
        self.made += is_due
        return is_due
