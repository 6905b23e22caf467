"""Reading the issues and notes of one's own tenant."""

from __future__ import annotations

from typing import Protocol

from nxt_domain.fieldwork.ports import HasFieldwork
from nxt_domain.fieldwork.views import IssueView, NoteView
from nxt_domain.identity.model import Principal
from nxt_domain.identity.scope import Scoped, scope_of
from nxt_domain.shared.paging import Page, Window
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory


class FieldworkTransaction(UnitOfWork, Scoped[HasFieldwork], Protocol):
    """A transaction over issues and notes within a scope."""


class ReadFieldwork:
    """Lists issues and notes [R41].

    Args:
        begin: Opens a transaction.
    """

    def __init__(self, begin: UnitOfWorkFactory[FieldworkTransaction]) -> None:
        self._begin = begin

    async def issues(self, caller: Principal, window: Window, *, grid_id: int | None = None) -> Page[IssueView]:
        """Return a part of the list of issues; ``grid_id`` narrows it to one grid."""
        async with self._begin() as tx:
            return await tx.within(scope_of(caller)).issues.page(window, grid_id=grid_id)

    async def notes(self, caller: Principal, window: Window, *, grid_id: int | None = None) -> Page[NoteView]:
        """Return a part of the list of notes; ``grid_id`` narrows it to one grid."""
        async with self._begin() as tx:
            return await tx.within(scope_of(caller)).notes.page(window, grid_id=grid_id)
