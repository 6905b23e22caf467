"""What money movements need from outside."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

import attrs

from nxt_domain.wallets.model import Entry, PostedEntry, StoredEntry


class Ledger(Protocol):
    """The ledger inside the caller's transaction. Entries and postings are never changed or deleted [PAY-26]."""

    async def post(self, entries: Sequence[Entry]) -> Sequence[PostedEntry]:
        """Post entries, in their order, all or none; a known key changes nothing [PAY-27, PAY-33, R3].

        Balances of wallets follow in the same transaction [PAY-21]. Accounts that the chart of accounts knows are
        opened at their first posting.

        Args:
            entries: Any number; each is valid by itself (``rules.validate``).

        Returns:
            One receipt per entry, in the same order.

        Raises:
            UnbalancedEntry: An entry is not acceptable by itself.
            FloorViolated: A balance would fall below its floor.
            LedgerKeyConflict: A key is known, with other postings.
        """

    async def find(self, keys: Collection[str]) -> Mapping[str, StoredEntry]:
        """Read entries by their idempotency keys; unknown ones are left out."""

    async def get(self, entry_id: int) -> StoredEntry | None:
        """Read an entry by its id; None: there is none."""

    async def balances(self, codes: Collection[str]) -> Mapping[str, Decimal]:
        """Read the present balances of accounts, without locking.

        Accounts that are not open yet count as empty; hot accounts keep no balance and are left out.
        """


@attrs.frozen(kw_only=True)
class Finding:
    """Something that should be impossible [PAY-133].

    Attributes:
        rule: Stable name of the broken rule, e.g. ``ENTRY_UNBALANCED``.
        subject: What breaks it, e.g. ``entry:17``.
        text: One sentence with the figures.
    """

    rule: str
    subject: str
    text: str


class LedgerAudit(Protocol):
    """Checks every invariant of the books (PAY 5.3, 5.6)."""

    async def findings(self) -> Sequence[Finding]:
        """Return everything that is wrong; nothing is corrected.

        Raises:
            Unavailable: The store can't be reached.
        """
