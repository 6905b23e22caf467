"""One transaction over all that payments touch, in memory: for unit tests and notebooks."""

from __future__ import annotations

from nxt_adapters.memory.audit import MemoryAuditTrail
from nxt_adapters.memory.database import MemoryDatabase, MemoryTransaction
from nxt_adapters.memory.gateway_payments import MemoryCharges, MemoryGatewayEvents
from nxt_adapters.memory.ledger import MemoryLedger
from nxt_adapters.memory.orders import MemoryOrders
from nxt_adapters.memory.settlements import MemoryNotices, MemorySettlementFailures, MemorySettlements
from nxt_adapters.memory.suspense import MemorySuspenseResolutions
from nxt_adapters.memory.ussd_sessions import MemoryUssdSessions


class MemoryPayments(MemoryTransaction):
    """Offers what ``OrdersTransaction`` and ``SettlementTransaction`` ask for.

    Args:
        database: Keeps everything between transactions.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.orders = MemoryOrders(database)
        self.charges = MemoryCharges(database)
        self.gateway_events = MemoryGatewayEvents(database)
        self.ledger = MemoryLedger(database)
        self.notices = MemoryNotices(database)
        self.ussd_sessions = MemoryUssdSessions(database)
        self.suspense = MemorySuspenseResolutions(database)
        self.settlements = MemorySettlements(database)
        self.audit = MemoryAuditTrail(database)
        self.settlement_failures = MemorySettlementFailures(database)
