"""Linking the audit log once a minute, and checking it [REL-167]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nxt_domain.shared.alerts import alert
from nxt_domain.shared.audit_chain import LATE_AFTER, SETTLED_AFTER, AuditChain, ChainCheck, ChainFinding, linked
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory

_BATCH = 1000


class AuditChainTransaction(UnitOfWork, Protocol):
    """A transaction that links evidence."""

    @property
    def audit_chain(self) -> AuditChain:
        """The chain."""


class ChainAuditLog:
    """Links every row that is old enough; calls for a person when one is long overdue.

    Args:
        begin: Opens a transaction.
        clock: Tells the time.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[AuditChainTransaction], clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self) -> int:
        """Link, in batches of one transaction each, and return how many rows there were.

        May run beside itself: whoever comes second waits, and finds the rows linked.
        """
        count = 0
        while batch := await self._link_some():
            count += batch
        return count

    async def _link_some(self) -> int:
        now = self._clock.now()
        async with self._begin() as tx:
            ends = await tx.audit_chain.hold()
            records = await tx.audit_chain.unlinked(before=now - SETTLED_AFTER, limit=_BATCH)
            if not records:
                return 0
            await tx.audit_chain.link(*linked(records, ends))
            if now - records[0].at > LATE_AFTER:
                text = f"rows of the audit log waited longer than {LATE_AFTER} for their hash"
                facts = {"oldest": records[0].id, "rows": len(records)}
                await tx.outbox.add([alert("AUDIT_LOG_UNLINKED", "audit_log", text, at=now, facts=facts)])
            await tx.commit()
        return len(records)


class VerifyAuditLog:
    """Walks along the whole chain; nothing is corrected by itself.

    Args:
        begin: Opens a transaction.
        clock: Tells the time.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[AuditChainTransaction], clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self) -> Sequence[ChainFinding]:
        """Return what is wrong; empty: nothing.

        Raises:
            Unavailable: The database can't be reached.
        """
        async with self._begin() as tx:
            check = ChainCheck(now=self._clock.now(), ends=await tx.audit_chain.ends())
            months = await tx.audit_chain.months()
            for month in months:
                await check.month(month, tx.audit_chain.of_month(month))
        return check.finish(months)
