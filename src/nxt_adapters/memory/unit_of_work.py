"""The whole relational plane in memory: use cases run on it in unit tests and notebooks.

>>> plane = MemoryPlane()
>>> top_ups = TopUpCommands(clock=plane.clock, makers={CommunicationProtocol.CALIN_LORAWAN: TestTokenMaker()})
>>> async with plane.begin() as tx:
...     tx.meters.know(Meter(id=1, external_reference="47001000010", communication_protocol=...))
...     await tx.commit()
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nxt_adapters.memory.audit_chain import MemoryAuditChain
from nxt_adapters.memory.bot import MemoryTopUpNotices
from nxt_adapters.memory.business import MemoryBusinessFigures
from nxt_adapters.memory.credit_transfers import MemoryCreditTransfers
from nxt_adapters.memory.database import MemoryClock, MemoryDatabase, MemoryTransaction
from nxt_adapters.memory.exchange_rates import MemoryReportedGrids
from nxt_adapters.memory.grids import MemoryGridTwins
from nxt_adapters.memory.intents import MemoryIntents
from nxt_adapters.memory.interactions import MemoryInteractions
from nxt_adapters.memory.job_units import MemoryJobUnits
from nxt_adapters.memory.leases import MemoryJobLeases
from nxt_adapters.memory.lifelines import MemoryLifelines
from nxt_adapters.memory.messages import MemoryDeviceMessages
from nxt_adapters.memory.messages_journal import MemoryMessageJournal
from nxt_adapters.memory.meter_register import MemoryMeterSearch
from nxt_adapters.memory.meters import MemoryMeters, MemoryStateEvents
from nxt_adapters.memory.notifications import MemoryNotificationQueue
from nxt_adapters.memory.outbox import MemoryOutboxQueue, MemoryOutboxTable
from nxt_adapters.memory.partners import MemoryPartnerRegister
from nxt_adapters.memory.payments import MemoryPayments
from nxt_adapters.memory.payouts import MemoryPayouts
from nxt_adapters.memory.people import MemoryAccountRegister, MemoryChatAccounts
from nxt_adapters.memory.plugins import StubPull, StubPush
from nxt_adapters.memory.revenue import MemoryMails, MemoryRevenueFigures
from nxt_adapters.memory.sensors import MemorySensors
from nxt_adapters.memory.tenant import MemoryTenantRepositories
from nxt_adapters.memory.tokens import MemoryDecoderKeys, MemoryTokenIssues
from nxt_adapters.memory.wakeups import MemoryWakeUps
from nxt_domain.identity.scope import Scope
from nxt_domain.messaging.ports import Courier, DeviceMessages
from nxt_domain.messaging.tuning import DeliveryPolicy
from nxt_domain.shared.ids import UlidFactory

MessagesOf = Callable[[MemoryTransaction], DeviceMessages]
"""Opens the queue of device messages inside a transaction."""


class MemoryUnitOfWork(MemoryPayments):
    """``UnitOfWork`` of every context whose rows live on the relational plane.

    Args:
        database: Keeps everything between transactions.
        messages_of: Opens the queue of device messages in the transaction.
    """

    outbox: MemoryOutboxTable

    def __init__(self, database: MemoryDatabase, messages_of: MessagesOf) -> None:
        super().__init__(database)
        self.outbox = MemoryOutboxTable(database)
        self.accounts = MemoryAccountRegister(database)
        self.chat_accounts = MemoryChatAccounts(database)
        self.audit_chain = MemoryAuditChain(database)
        self.meters = MemoryMeters(database)
        self.credit_transfers = MemoryCreditTransfers(database)
        self.meter_search = MemoryMeterSearch(database)
        self.partner_register = MemoryPartnerRegister(database)
        self.interactions = MemoryInteractions(database)
        self.state_events = MemoryStateEvents(database)
        self.grids = MemoryGridTwins(database)
        self.token_issues = MemoryTokenIssues(database)
        self.decoder_keys = MemoryDecoderKeys(database)
        self.payouts = MemoryPayouts(database)
        self.lifelines = MemoryLifelines(database)
        self.reported_grids = MemoryReportedGrids(database)
        self.top_up_notices = MemoryTopUpNotices(database)
        self.business_figures = MemoryBusinessFigures(database)
        self.job_units = MemoryJobUnits(database)
        self.mails = MemoryMails(database)
        self.revenue_figures = MemoryRevenueFigures(database)
        self.messages = messages_of(self)
        self.intents = MemoryIntents(database)
        self.sensors = MemorySensors(database)
        self.message_journal = MemoryMessageJournal(database)

    def within(self, scope: Scope) -> MemoryTenantRepositories:
        """Open the repositories of tenants' rows."""
        return MemoryTenantRepositories(self.database, scope)


class MemoryPlane:
    """A process's relational plane in memory: transactions, queues, leases and wake-ups over one database.

    Args:
        clock: Stands for all clocks.
        couriers: Delivery plug-ins by id; stubs for the three CALIN ones by default.
        policy: How long a message may wait.
    """

    def __init__(
        self,
        clock: MemoryClock | None = None,
        *,
        couriers: Mapping[str, Courier] | None = None,
        policy: DeliveryPolicy | None = None,
    ) -> None:
        self.database = MemoryDatabase(clock)
        self.clock = self.database.clock
        self.new_id = UlidFactory(self.clock)
        self.couriers = stub_couriers(self.new_id) if couriers is None else couriers
        self.outbox_queue = MemoryOutboxQueue(self.database)
        self.notification_queue = MemoryNotificationQueue(self.database)
        self.job_leases = MemoryJobLeases(self.database, "memory")
        self.wakeups = MemoryWakeUps()
        self._policy = policy or DeliveryPolicy()

    def begin(self) -> MemoryUnitOfWork:
        """Open a transaction."""
        return MemoryUnitOfWork(self.database, self._messages_of)

    def _messages_of(self, transaction: MemoryTransaction) -> MemoryDeviceMessages:
        return MemoryDeviceMessages(transaction, couriers=self.couriers, new_id=self.new_id, policy=self._policy)


def stub_couriers(new_id: Callable[[], str]) -> Mapping[str, Courier]:
    """Make plug-ins with the names of the real ones, which accept everything.

    Args:
        new_id: Mints remote ids.
    """

    class Radio(StubPush):
        plugin_id = "calin-chirpstack"

    class VendorV1(StubPull):
        plugin_id = "calin-api-v1"

    class VendorV2(StubPull):
        plugin_id = "calin-api-v2"

    stubs = (Radio(new_id), VendorV1(new_id), VendorV2(new_id))
    return {stub.plugin_id: stub for stub in stubs}
