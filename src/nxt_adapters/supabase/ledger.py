"""The ledger in PostgreSQL: a thin face of ``internal.post_entries``, which enforces every rule itself [PAY-32]."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal

import psycopg

from nxt_adapters.supabase.engine import dump_json
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.written import Read, Record, Written
from nxt_domain.shared.errors import DomainError
from nxt_domain.shared.money import plain
from nxt_domain.wallets import rules
from nxt_domain.wallets.accounts import kind_of, wallet_of
from nxt_domain.wallets.model import (
    AccountClosed,
    Entry,
    EntryType,
    FloorViolated,
    LedgerKeyConflict,
    PostedEntry,
    Posting,
    StoredEntry,
    UnbalancedEntry,
)

_REFUSALS: Mapping[str, type[DomainError]] = {
    "NX001": FloorViolated,
    "NX002": LedgerKeyConflict,
    "NX003": UnbalancedEntry,
    "NX004": AccountClosed,
    "NX005": UnbalancedEntry,
}
_OPEN_ACCOUNTS = Written(
    "select internal.ensure_ledger_account(code) from unnest(cast(:codes as text[])) with ordinality as c (code, n)"
    " order by n"
)
_POST = Written("select entry_id, created from internal.post_entries(cast(:entries as jsonb)) order by ordinal")
_STORED = """
    select entry.id, entry.idempotency_key, entry.entry_type, account.code, posting.amount
    from internal.ledger_entries entry
    join internal.ledger_postings posting on posting.entry_id = entry.id
    join internal.ledger_accounts account on account.id = posting.account_id
    where {condition}
    order by entry.id, posting.id
    """
_FIND = Read(_STORED.format(condition="entry.idempotency_key = any(cast(:keys as text[]))"))
_GET = Read(_STORED.format(condition="entry.id = :id"))
_BALANCES = Read(
    "select code, balance from internal.ledger_accounts where code = any(cast(:codes as text[])) and not is_hot"
)


class PostgresLedger:
    """Implements ``Ledger``.

    Args:
        session: Of the unit of work.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def post(self, entries: Sequence[Entry]) -> Sequence[PostedEntry]:
        """Post entries in their order, all or none; see ``Ledger.post``."""
        if not entries:
            return ()
        for entry in entries:
            rules.validate(entry)
        try:
            await self._open_accounts(entries)
            payload = dump_json([_element(entry) for entry in entries])
            rows = await self._session.objects(_POST, {"entries": payload})
        except psycopg.Error as error:
            raise _refusal(error) from error
        return [
            PostedEntry(id=row.entry_id, key=entry.key, created=row.created)
            for entry, row in zip(entries, rows, strict=True)
        ]

    async def find(self, keys: Collection[str]) -> Mapping[str, StoredEntry]:
        """Read entries by their keys, in one statement; see ``Ledger.find``."""
        return {entry.key: entry for entry in _entries(await self._session.objects(_FIND, {"keys": list(keys)}))}

    async def get(self, entry_id: int) -> StoredEntry | None:
        """Read an entry by its id; see ``Ledger.get``."""
        return next(iter(_entries(await self._session.objects(_GET, {"id": entry_id}))), None)

    async def balances(self, codes: Collection[str]) -> Mapping[str, Decimal]:
        """Read present balances; see ``Ledger.balances``."""
        wanted = [code for code in codes if not kind_of(code).is_hot]
        if not wanted:
            return {}
        rows = await self._session.objects(_BALANCES, {"codes": wanted})
        return dict.fromkeys(wanted, Decimal(0)) | {row.code: row.balance for row in rows}

    async def _open_accounts(self, entries: Sequence[Entry]) -> None:
        """Open what the chart of accounts knows; accounts of wallets open with their wallets."""
        codes = {posting.account for entry in entries for posting in entry.postings}
        others = sorted(code for code in codes if wallet_of(code) is None)
        if others:
            await self._session.run(_OPEN_ACCOUNTS, {"codes": others})


def _entries(rows: Iterable[Record]) -> Sequence[StoredEntry]:
    """Put the postings of entries together, in their order."""
    legs: dict[int, list[Posting]] = defaultdict(list)
    heads: dict[int, Record] = {}
    for row in rows:
        heads[row.id] = row
        legs[row.id].append(Posting(row.code, row.amount))
    return [
        StoredEntry(
            id=entry_id,
            key=head.idempotency_key,
            entry_type=EntryType(head.entry_type),
            postings=legs[entry_id],
        )
        for entry_id, head in heads.items()
    ]


def _element(entry: Entry) -> Mapping[str, object]:
    facts = {
        "key": entry.key,
        "entry_type": entry.entry_type.value,
        "order_id": entry.order_id,
        "payout_id": entry.payout_id,
        "meter_credit_transfer_id": entry.meter_credit_transfer_id,
        "reverses_entry_id": entry.reverses_entry_id,
        "author_account_id": entry.author_account_id,
        "effective_at": entry.effective_at.isoformat() if entry.effective_at else None,
        "memo": entry.memo,
        "postings": [{"account_code": leg.account, "amount": plain(leg.amount)} for leg in entry.postings],
    }
    return {name: value for name, value in facts.items() if value is not None}


def _refusal(error: psycopg.Error) -> Exception:
    kind = _REFUSALS.get(error.sqlstate or "")
    return error if kind is None else kind(error.diag.message_detail or str(error))
