"""``nxt ledger audit``: are the books in order? [R35, PAY-133]."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.ledger_audit import PostgresLedgerAudit
from nxt_domain.wallets.ports import Finding

_STATEMENT_TIMEOUT_MS = 300_000


def run(relational_url: str) -> Sequence[Finding]:
    """Check every invariant of the books and return what is wrong; empty: nothing.

    Args:
        relational_url: ``postgresql://…`` of the relational plane.

    Raises:
        Unavailable: The database can't be reached.
    """
    return asyncio.run(audit(relational_url))


async def audit(relational_url: str) -> Sequence[Finding]:
    """As ``run``, inside a running event loop."""
    engine = create_engine(
        relational_url,
        pool_size=1,
        application_name="nxt ledger audit",
        statement_timeout_ms=_STATEMENT_TIMEOUT_MS,
    )
    try:
        return await PostgresLedgerAudit(engine).findings()
    finally:
        await engine.dispose()
