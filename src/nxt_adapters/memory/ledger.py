"""A double-entry ledger in memory, with the rules of the real one.

ledger = MemoryLedger()
await ledger.post([Entry(key="gift", entry_type=EntryType.ADJUSTMENT, memo="a start", postings=[
    Posting(gateway_account("platform"), Decimal(-500)), Posting(wallet_account(7), Decimal(500))])])
ledger.balance(wallet_account(7))  # Decimal("500")
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from nxt_adapters.memory.database import MemoryDatabase
from nxt_domain.wallets import rules
from nxt_domain.wallets.audit import BookedEntry, check_books
from nxt_domain.wallets.model import Entry, LedgerAccount, LedgerKeyConflict, PostedEntry, StoredEntry
from nxt_domain.wallets.ports import Finding


class MemoryLedger:
    """Implements ``Ledger`` and ``LedgerAudit``.

    Args:
        database: Shared with other fakes; a private one by default.
    """

    def __init__(self, database: MemoryDatabase | None = None) -> None:
        self._database = database or MemoryDatabase()
        self._accounts: dict[str, LedgerAccount] = self._database.table("ledger_accounts")
        self._entries: dict[str, BookedEntry] = self._database.table("ledger_entries")

    async def post(self, entries: Sequence[Entry]) -> Sequence[PostedEntry]:
        """Post entries in their order, all or none; see ``Ledger.post``."""
        accounts = dict(self._accounts)
        booked: dict[str, BookedEntry] = {}
        receipts = []
        for entry in entries:
            rules.validate(entry)
            known = self._entries.get(entry.key) or booked.get(entry.key)
            if known is not None:
                if not rules.same_movement(known.entry.postings, entry.postings):
                    raise LedgerKeyConflict(f"{entry.key} was posted with other postings")
                receipts.append(PostedEntry(id=known.id, key=entry.key, created=False))
                continue
            for posting in entry.postings:
                accounts.setdefault(posting.account, rules.open_account(posting.account))
            postings, after = rules.apply(entry, accounts)
            accounts.update({account.code: account for account in after})
            entry_id = self._database.next_id("ledger_entries")
            booked[entry.key] = BookedEntry(id=entry_id, entry=entry, postings=postings)
            receipts.append(PostedEntry(id=entry_id, key=entry.key, created=True))
        self._accounts.update(accounts)
        self._entries.update(booked)
        return receipts

    async def find(self, keys: Collection[str]) -> Mapping[str, StoredEntry]:
        """Read entries by their keys; see ``Ledger.find``."""
        booked = {key: self._entries[key] for key in keys if key in self._entries}
        return {
            key: StoredEntry(id=known.id, key=key, entry_type=known.entry.entry_type, postings=known.entry.postings)
            for key, known in booked.items()
        }

    async def get(self, entry_id: int) -> StoredEntry | None:
        """Read an entry by its id; see ``Ledger.get``."""
        key = next((key for key, booked in self._entries.items() if booked.id == entry_id), None)
        return None if key is None else (await self.find([key]))[key]

    async def balances(self, codes: Collection[str]) -> Mapping[str, Decimal]:
        """Return present balances; see ``Ledger.balances``."""
        accounts = {code: self._accounts.get(code) or rules.open_account(code) for code in codes}
        return {code: account.balance for code, account in accounts.items() if not account.is_hot}

    async def findings(self) -> Sequence[Finding]:
        """Check every invariant."""
        return check_books(self._accounts.values(), self._entries.values())

    def balance(self, code: str) -> Decimal:
        """Return an account's balance; an unknown one is empty."""
        account = self._accounts.get(code)
        return account.balance if account else Decimal(0)

    def booked(self, key: str) -> BookedEntry | None:
        """Find an entry by its idempotency key."""
        return self._entries.get(key)

    @property
    def entries(self) -> Sequence[BookedEntry]:
        """All entries, oldest first."""
        return sorted(self._entries.values(), key=lambda booked: booked.id)
