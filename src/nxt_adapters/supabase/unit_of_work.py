"""One transaction over everything the relational plane holds; a use case sees the part that it asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from types import TracebackType
from typing import Self

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.account_register import PostgresAccountRegister
from nxt_adapters.supabase.audit import PostgresAuditTrail
from nxt_adapters.supabase.audit_chain import PostgresAuditChain
from nxt_adapters.supabase.business import PostgresBusinessFigures
from nxt_adapters.supabase.chat_accounts import PostgresChatAccounts
from nxt_adapters.supabase.credit_transfers import PostgresCreditTransfers
from nxt_adapters.supabase.decoder_keys import PostgresDecoderKeys
from nxt_adapters.supabase.gateway_charges import PostgresCharges
from nxt_adapters.supabase.gateway_events import PostgresGatewayEvents
from nxt_adapters.supabase.grid_twins import PostgresGridTwins
from nxt_adapters.supabase.intents import PostgresIntents
from nxt_adapters.supabase.interactions import PostgresInteractions
from nxt_adapters.supabase.job_units import PostgresJobUnits
from nxt_adapters.supabase.ledger import PostgresLedger
from nxt_adapters.supabase.lifelines import PostgresLifelines
from nxt_adapters.supabase.mails import PostgresMails
from nxt_adapters.supabase.messages_journal import PostgresMessageJournal
from nxt_adapters.supabase.meter_register import PostgresMeterSearch
from nxt_adapters.supabase.meters import PostgresMeters
from nxt_adapters.supabase.notices import PostgresNotices
from nxt_adapters.supabase.orders import PostgresOrders
from nxt_adapters.supabase.outbox import PostgresOutbox
from nxt_adapters.supabase.partner_register import PostgresPartnerRegister
from nxt_adapters.supabase.payouts import PostgresPayouts
from nxt_adapters.supabase.reads import ReadingSession, ReadPool, changed_while_reading
from nxt_adapters.supabase.reported_grids import PostgresReportedGrids
from nxt_adapters.supabase.revenue import PostgresRevenueFigures
from nxt_adapters.supabase.sensors import PostgresSensors
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.settlements import PostgresSettlementFailures, PostgresSettlements
from nxt_adapters.supabase.state_events import PostgresStateEvents
from nxt_adapters.supabase.suspense import PostgresSuspenseResolutions
from nxt_adapters.supabase.tenant import TenantRepositories
from nxt_adapters.supabase.token_issues import PostgresTokenIssues
from nxt_adapters.supabase.top_up_notices import PostgresTopUpNotices
from nxt_adapters.supabase.transaction import PostgresTransaction, raise_translated
from nxt_adapters.supabase.ussd_sessions import PostgresUssdSessions
from nxt_domain.identity.scope import Scope
from nxt_domain.messaging.ports import DeviceMessages
from nxt_domain.shared.secrets import SecretBox, SecretLost

MessagesOf = Callable[[Session], DeviceMessages]
"""Opens the queue of device messages inside a transaction."""


def no_secret_box() -> SecretBox:
    """Stand for data keys that a process has not got.

    Raises:
        SecretLost: Always.
    """
    raise SecretLost("This process has no data keys")


class SupabaseUnitOfWork(PostgresTransaction):
    """``UnitOfWork`` of every context whose rows live on the relational plane.

    Args:
        engine: The process's pool.
        messages_of: Opens the queue of device messages in the transaction.
        secret_box: Gives the data keys of stored secrets, when they are needed.
    """

    def __init__(
        self, engine: AsyncEngine, messages_of: MessagesOf, secret_box: Callable[[], SecretBox] = no_secret_box
    ) -> None:
        super().__init__(engine)
        self._messages_of = messages_of
        self._secret_box = secret_box

    def within(self, scope: Scope) -> TenantRepositories:
        """Open the repositories of tenants' rows."""
        return TenantRepositories(self.session, scope)

    @cached_property
    def accounts(self) -> PostgresAccountRegister:
        """Accounts, by their logins."""
        return PostgresAccountRegister(self.connection)

    @cached_property
    def chat_accounts(self) -> PostgresChatAccounts:
        """Accounts, as the chat bot knows them."""
        return PostgresChatAccounts(self.connection)

    @cached_property
    def audit(self) -> PostgresAuditTrail:
        """Who did what."""
        return PostgresAuditTrail(self.session)

    @cached_property
    def audit_chain(self) -> PostgresAuditChain:
        """Hashes over who did what."""
        return PostgresAuditChain(self.connection)

    @cached_property
    def outbox(self) -> PostgresOutbox:
        """Effects outside the database."""
        return PostgresOutbox(self.session)

    @cached_property
    def orders(self) -> PostgresOrders:
        """Orders."""
        return PostgresOrders(self.session)

    @cached_property
    def partner_register(self) -> PostgresPartnerRegister:
        """What partners may see of all tenants."""
        return PostgresPartnerRegister(self.session)

    @cached_property
    def charges(self) -> PostgresCharges:
        """Charges at the gateway."""
        return PostgresCharges(self.session)

    @cached_property
    def gateway_events(self) -> PostgresGatewayEvents:
        """The inbox of the gateway's webhooks."""
        return PostgresGatewayEvents(self.session)

    @cached_property
    def credit_transfers(self) -> PostgresCreditTransfers:
        """Transfers of credit between meters."""
        return PostgresCreditTransfers(self.connection)

    @cached_property
    def ledger(self) -> PostgresLedger:
        """The ledger."""
        return PostgresLedger(self.session)

    @cached_property
    def settlements(self) -> PostgresSettlements:
        """Orders to settle."""
        return PostgresSettlements(self.session)

    @cached_property
    def settlement_failures(self) -> PostgresSettlementFailures:
        """Technical failures of settlements."""
        return PostgresSettlementFailures(self.session)

    @cached_property
    def ussd_sessions(self) -> PostgresUssdSessions:
        """Phone sessions."""
        return PostgresUssdSessions(self.connection)

    @cached_property
    def lifelines(self) -> PostgresLifelines:
        """Connections by their use."""
        return PostgresLifelines(self.connection)

    @cached_property
    def payouts(self) -> PostgresPayouts:
        """Statements of grids."""
        return PostgresPayouts(self.connection)

    @cached_property
    def revenue_figures(self) -> PostgresRevenueFigures:
        """What came in."""
        return PostgresRevenueFigures(self.connection)

    @cached_property
    def job_units(self) -> PostgresJobUnits:
        """What jobs have done."""
        return PostgresJobUnits(self.connection)

    @cached_property
    def mails(self) -> PostgresMails:
        """Reports by e-mail."""
        return PostgresMails(self.connection)

    @cached_property
    def business_figures(self) -> PostgresBusinessFigures:
        """What grids are as businesses."""
        return PostgresBusinessFigures(self.connection)

    @cached_property
    def reported_grids(self) -> PostgresReportedGrids:
        """Grids that reports and series tell of."""
        return PostgresReportedGrids(self.connection)

    @cached_property
    def top_up_notices(self) -> PostgresTopUpNotices:
        """What the chat bot is told."""
        return PostgresTopUpNotices(self.connection)

    @cached_property
    def suspense(self) -> PostgresSuspenseResolutions:
        """Decisions about suspended money."""
        return PostgresSuspenseResolutions(self.connection)

    @cached_property
    def notices(self) -> PostgresNotices:
        """Text messages to be sent."""
        return PostgresNotices(self.session)

    @cached_property
    def meters(self) -> PostgresMeters:
        """Meters."""
        return PostgresMeters(self.session)

    @cached_property
    def meter_search(self) -> PostgresMeterSearch:
        """Meters of any tenant, by their number."""
        return PostgresMeterSearch(self.session)

    @cached_property
    def interactions(self) -> PostgresInteractions:
        """Interactions."""
        return PostgresInteractions(self.session)

    @cached_property
    def state_events(self) -> PostgresStateEvents:
        """The history of meters."""
        return PostgresStateEvents(self.connection)

    @cached_property
    def grids(self) -> PostgresGridTwins:
        """Grids and gateways."""
        return PostgresGridTwins(self.session)

    @cached_property
    def token_issues(self) -> PostgresTokenIssues:
        """The record of tokens."""
        return PostgresTokenIssues(self.session)

    @cached_property
    def decoder_keys(self) -> PostgresDecoderKeys:
        """Meters' keys."""
        return PostgresDecoderKeys(self.session, self._secret_box)

    @cached_property
    def messages(self) -> DeviceMessages:
        """The durable queue of device messages."""
        return self._messages_of(self.session)

    @cached_property
    def intents(self) -> PostgresIntents:
        """What clients want of meters."""
        return PostgresIntents(self.connection)

    @cached_property
    def sensors(self) -> PostgresSensors:
        """Sensors of sites."""
        return PostgresSensors(self.connection)

    @cached_property
    def message_journal(self) -> PostgresMessageJournal:
        """Device messages, as people look at them."""
        return PostgresMessageJournal(self.connection)


class SupabaseReading(SupabaseUnitOfWork):
    """As ``SupabaseUnitOfWork``, for use cases that read and change nothing.

    Each statement sees what is committed when it begins, as in any transaction here (read committed). There is none,
    which spares three round trips for each request; ``connection``, which would carry it, is never open.

    Args:
        engine: The process's pool; see ``engine.for_reading``.
        messages_of: As there.
        pool: For the statements that dashboards send most.
    """

    def __init__(self, engine: AsyncEngine, messages_of: MessagesOf, pool: ReadPool) -> None:
        super().__init__(engine, messages_of)
        self._reading = ReadingSession(engine, pool)

    @property
    def session(self) -> Session:
        """See ``SupabaseUnitOfWork.session``."""
        return self._reading

    async def __aenter__(self) -> Self:
        """Open nothing yet."""
        return self

    async def commit(self) -> None:
        """Refuse: what was changed here was not one transaction.

        Raises:
            RuntimeError: Always.
        """
        raise changed_while_reading("commit")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See ``PostgresTransaction.__aexit__``."""
        await self._reading.close()
        if isinstance(error, DBAPIError | psycopg.Error):
            raise_translated(error)
