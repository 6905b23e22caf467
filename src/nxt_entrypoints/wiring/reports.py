"""What the calendar draws up: statements, reports and snapshots, most of them out of both planes."""

from __future__ import annotations

from dependency_injector import containers, providers

from nxt_adapters.exchangeratesapi import ExchangeRatesApi, ExchangeRatesSettings
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_adapters.timescale.business import TimescaleBusinessRows
from nxt_adapters.timescale.connection_use import TimescaleConnectionUse
from nxt_adapters.timescale.exchange_rates import TimescaleRateRows
from nxt_adapters.timescale.pool import SeriesPool
from nxt_domain.grids.use_cases.classify_lifelines import ClassifyLifelines
from nxt_domain.orders.use_cases.generate_payouts import GeneratePayouts
from nxt_domain.orders.use_cases.make_payout import DraftPayout
from nxt_domain.orders.use_cases.report_revenue import ReportRevenue
from nxt_domain.orders.use_cases.tell_payouts import TellPayouts
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_domain.telemetry.use_cases.snapshot_business import SnapshotBusiness
from nxt_domain.telemetry.use_cases.snapshot_rates import SnapshotRates
from nxt_entrypoints.settings.settings import Settings


def has_exchange_rates(settings: Settings) -> bool:
    """Whether the artifact names a provider of rates, for payments that are on."""
    payments = settings.artifact.capabilities.payments
    return payments.enabled and payments.exchange_rates is not None


def exchange_rates(settings: Settings) -> ExchangeRatesApi:
    """Build the client of the provider of rates."""
    return ExchangeRatesApi(
        ExchangeRatesSettings(
            url=settings.text("EXCHANGE_RATES_API_URL"), key=settings.secret("EXCHANGE_RATES_API_KEY").reveal
        )
    )


class Reports(containers.DeclarativeContainer):
    """Use cases of the calendar, over what the process's container lends them."""

    settings: providers.Dependency[Settings] = providers.Dependency()
    begin: providers.Dependency[UnitOfWorkFactory[SupabaseUnitOfWork]] = providers.Dependency()
    series: providers.Dependency[SeriesPool] = providers.Dependency()
    draft_payout: providers.Dependency[DraftPayout] = providers.Dependency()
    clock: providers.Dependency[Clock] = providers.Dependency()

    artifact = settings.provided.artifact
    dashboard_url = artifact.deployment.frontend_base_url

    classify_lifelines = providers.Singleton(
        ClassifyLifelines, begin=begin, use=providers.Singleton(TimescaleConnectionUse, series), clock=clock
    )
    generate_payouts = providers.Singleton(
        GeneratePayouts,
        begin=begin,
        draft=draft_payout,
        tell=providers.Singleton(
            TellPayouts,
            begin=begin,
            platform_organization_id=artifact.deployment.admin_organization_id,
            dashboard_url=dashboard_url,
        ),
        clock=clock,
    )
    report_revenue = providers.Singleton(
        ReportRevenue,
        begin=begin,
        clock=clock,
        dashboard_url=dashboard_url,
        organization_ids=artifact.integrations.revenue_reports.organization_ids,
    )
    snapshot_business = providers.Singleton(
        SnapshotBusiness, begin=begin, rows=providers.Singleton(TimescaleBusinessRows, series), clock=clock
    )
    exchange_rates = providers.Singleton(exchange_rates, settings)
    snapshot_rates = providers.Singleton(
        SnapshotRates,
        begin=begin,
        provider=exchange_rates,
        rows=providers.Singleton(TimescaleRateRows, series),
        clock=clock,
    )
