"""``nxt audit verify``: is the chain over the audit log unbroken? [REL-167]."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.audit_chain import PostgresAuditChain
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.outbox import PostgresOutbox
from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_adapters.system.clock import SystemClock
from nxt_domain.shared.audit_chain import ChainFinding
from nxt_domain.shared.chain_audit_log import VerifyAuditLog

_STATEMENT_TIMEOUT_MS = 300_000


class _Transaction(PostgresTransaction):
    @property
    def audit_chain(self) -> PostgresAuditChain:
        return PostgresAuditChain(self.connection)

    @property
    def outbox(self) -> PostgresOutbox:
        return PostgresOutbox(self.session)


def run(relational_url: str) -> Sequence[ChainFinding]:
    """Walk along the chain and return what is wrong; empty: nothing.

    Args:
        relational_url: ``postgresql://…`` of the relational plane.

    Raises:
        Unavailable: The database can't be reached.
    """
    return asyncio.run(_verify(relational_url))


async def _verify(relational_url: str) -> Sequence[ChainFinding]:
    engine = create_engine(
        relational_url,
        pool_size=1,
        application_name="nxt audit verify",
        statement_timeout_ms=_STATEMENT_TIMEOUT_MS,
    )
    try:
        return await VerifyAuditLog(begin=lambda: _opened(engine), clock=SystemClock())()
    finally:
        await engine.dispose()


def _opened(engine: AsyncEngine) -> _Transaction:
    return _Transaction(engine)
