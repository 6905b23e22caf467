"""Customers, contracts, meters, issues and notes."""

from __future__ import annotations

from dependency_injector import containers, providers
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.jira import ELSEWHERE, PRODUCTION, JiraSettings, JiraTracker
from nxt_adapters.redis.check_focus import ValkeyCheckFocus
from nxt_adapters.supabase.partner_register import PostgresSiteDirectory
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_adapters.timescale.consumption_feed import TimescaleConsumptionFeed
from nxt_adapters.timescale.pool import SeriesPool
from nxt_domain.fieldwork.use_cases.issue_check import DebugIssueCheck
from nxt_domain.fieldwork.use_cases.read_fieldwork import ReadFieldwork
from nxt_domain.fieldwork.use_cases.update_issues import UpdateIssues
from nxt_domain.grids.use_cases.contracts import (
    ChangeConnections,
    CreateConnection,
    ReadContracts,
    ReviseRequestedMeters,
)
from nxt_domain.meters.delivery import ReadDeliveryStatus
from nxt_domain.meters.register import ReadMeters, SearchMeter
from nxt_domain.orders.partners import ReadForLenders
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_domain.telemetry.partners import ReadForAggregators
from nxt_entrypoints.api.register_services import RegisterServices
from nxt_entrypoints.settings.settings import Settings


def has_tracker(settings: Settings) -> bool:
    """Whether the artifact binds a tracker."""
    field_operations = settings.artifact.capabilities.field_operations
    return field_operations.enabled and field_operations.issue_tracker is not None


def tracker(settings: Settings) -> JiraTracker | None:
    """Build the tracker's client; None: there is none."""
    if not has_tracker(settings):
        return None
    return JiraTracker(
        JiraSettings(
            api_url=settings.text("JIRA_API"),
            service_desk_url=settings.text("JIRA_SERVICE_DESK_API"),
            username=settings.text("JIRA_API_USERNAME"),
            api_key=settings.secret("JIRA_API_KEY").reveal,
            dashboard_url=settings.artifact.deployment.frontend_base_url,
            project=PRODUCTION if settings.is_production else ELSEWHERE,
        )
    )


class Registers(containers.DeclarativeContainer):
    """Use cases of one area, over what the process's container lends it."""

    begin: providers.Dependency[UnitOfWorkFactory[SupabaseUnitOfWork]] = providers.Dependency()
    begin_reading: providers.Dependency[UnitOfWorkFactory[SupabaseUnitOfWork]] = providers.Dependency(default=begin)
    clock: providers.Dependency[Clock] = providers.Dependency()
    valkey: providers.Dependency[Redis] = providers.Dependency()
    has_tracker: providers.Dependency[bool] = providers.Dependency()
    engine: providers.Dependency[AsyncEngine] = providers.Dependency()
    series_pool: providers.Dependency[SeriesPool] = providers.Dependency()

    services = providers.Singleton(
        RegisterServices,
        create_connection=providers.Singleton(CreateConnection, begin),
        change_connections=providers.Singleton(ChangeConnections, begin),
        revise_requested_meters=providers.Singleton(ReviseRequestedMeters, begin),
        read_contracts=providers.Singleton(ReadContracts, begin_reading),
        read_fieldwork=providers.Singleton(ReadFieldwork, begin_reading),
        read_meters=providers.Singleton(ReadMeters, begin_reading),
        search_meter=providers.Singleton(SearchMeter, begin_reading),
        read_delivery_status=providers.Singleton(ReadDeliveryStatus, begin),
        update_issues=providers.Singleton(UpdateIssues, begin, clock=clock, has_tracker=has_tracker),
        read_for_lenders=providers.Singleton(ReadForLenders, begin_reading),
        read_for_aggregators=providers.Singleton(
            ReadForAggregators,
            providers.Singleton(TimescaleConsumptionFeed, series_pool),
            providers.Singleton(PostgresSiteDirectory, engine),
        ),
        debug_issue_check=providers.Singleton(DebugIssueCheck, providers.Singleton(ValkeyCheckFocus, valkey)),
    )
