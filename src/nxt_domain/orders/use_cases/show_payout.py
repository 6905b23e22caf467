"""A statement with its grid and the name of who approved it."""

from __future__ import annotations

from typing import Protocol

import attrs

from nxt_domain.grids.use_cases.read_grids import HasGrids
from nxt_domain.grids.views import GridView
from nxt_domain.identity.model import Principal
from nxt_domain.identity.ports import Accounts
from nxt_domain.identity.scope import Scoped, scope_of
from nxt_domain.orders.payouts import Payout
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory


@attrs.frozen(kw_only=True)
class NamedAccount:
    """Who somebody is, and no more [API-125]."""

    id: int
    full_name: str | None


@attrs.frozen(kw_only=True)
class ShownPayout:
    """What clients see; the grid is None once it is deleted."""

    payout: Payout
    grid: GridView | None
    approved_by: NamedAccount | None


class ShowTransaction(UnitOfWork, Scoped[HasGrids], Protocol):
    """A transaction that reads grids within a scope."""


class ShowPayout:
    """Adds to a statement what clients read with it.

    Args:
        begin: Opens a transaction.
        accounts: Names people.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[ShowTransaction], accounts: Accounts) -> None:
        self._begin = begin
        self._accounts = accounts

    async def __call__(self, caller: Principal, payout: Payout) -> ShownPayout:
        """Show a statement to a caller."""
        async with self._begin() as tx:
            grid = await tx.within(scope_of(caller)).grids.get(payout.grid_id)
        approver = None
        if payout.approved_by_account_id is not None:
            account = await self._accounts.get(payout.approved_by_account_id)
            approver = None if account is None else NamedAccount(id=account.id, full_name=account.full_name)
        return ShownPayout(payout=payout, grid=grid, approved_by=approver)
