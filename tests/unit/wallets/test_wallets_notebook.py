"""The ledger in a notebook: five lines, no database."""

from __future__ import annotations

from decimal import Decimal

from nxt_adapters.memory.ledger import MemoryLedger
from nxt_domain.wallets.accounts import gateway_account, wallet_account
from nxt_domain.wallets.model import Entry, EntryType, Posting


async def test_five_lines() -> None:
    """[PAY-25] the example of the module's own documentation."""
    ledger = MemoryLedger()
    legs = [Posting(gateway_account("platform"), Decimal(-500)), Posting(wallet_account(7), Decimal(500))]
    await ledger.post([Entry(key="gift", entry_type=EntryType.ADJUSTMENT, memo="a start", postings=legs)])
    assert ledger.balance(wallet_account(7)) == 500
    assert await ledger.findings() == []
