"""What platforms outside are told: accounting of statements, operators of grids' changes, chats of top-ups."""

from __future__ import annotations

from dependency_injector import containers, providers

from nxt_adapters.flowxo import FlowXoSettings, FlowXoTopUps
from nxt_adapters.make import MakeAccounting, MakeGridNews, MakeSettings
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_domain.orders.bot_notices import TellBot
from nxt_domain.orders.use_cases.export_payout import ExportPayout
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory
from nxt_entrypoints.settings.settings import Settings


def accounting_export(settings: Settings) -> MakeAccounting | None:
    """Build the automation platform's client; None: accounting is not exported."""
    if not settings.artifact.integrations.accounting_export.enabled:
        return None
    return MakeAccounting(
        MakeSettings(
            base_url=settings.text("MAKE_API_URL"),
            draft_hook=settings.text("MAKE_API_PAYOUT_FLOW_DRAFT_ID"),
            bookkeeping_hook=settings.text("MAKE_API_XERO_AUTO_PAYOUT_FLOW_ID"),
            token=settings.secret("MAKE_API_TOKEN").reveal,
        )
    )


def grid_news(settings: Settings) -> MakeGridNews | None:
    """Build the teller of grids' changes; None: there is no address, and nobody is told [REL-103]."""
    if not settings.has("MAKE_GRID_STATE_WEBHOOK_URL"):
        return None
    return MakeGridNews(settings.secret("MAKE_GRID_STATE_WEBHOOK_URL").reveal)


def top_up_bot(settings: Settings) -> FlowXoTopUps | None:
    """Build the bot's client; None: top-ups are not announced in chats."""
    if not settings.artifact.integrations.telegram_topups.enabled:
        return None
    return FlowXoTopUps(
        FlowXoSettings(
            host=settings.text("FLOW_XO_API"),
            endpoint=settings.text("FLOW_XO_TOPUP_TOKEN_ENDPOINT"),
            response_path=settings.text("FLOW_XO_TOKEN_RESPONSE_PATH"),
        )
    )


class Announcements(containers.DeclarativeContainer):
    """Clients of the platforms, each perhaps not there, and what is told through them."""

    settings: providers.Dependency[Settings] = providers.Dependency()
    begin: providers.Dependency[UnitOfWorkFactory[SupabaseUnitOfWork]] = providers.Dependency()

    accounting_export = providers.Singleton(accounting_export, settings)
    export_payout = providers.Singleton(ExportPayout, begin=begin, export=accounting_export)
    grid_news = providers.Singleton(grid_news, settings)
    top_up_bot = providers.Singleton(top_up_bot, settings)
    tell_bot = providers.Singleton(TellBot, begin=begin, bot=top_up_bot)
