"""The jobs role: settlement, outbox relay, message engine, notifications, and the calendar on RQ."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial

import attrs
import structlog

from nxt_adapters.supabase.money_watch import PostgresMoneyWatch
from nxt_adapters.supabase.retention import PostgresRetention
from nxt_domain.fieldwork.tracker import IssueTracker
from nxt_domain.grids.news import GridNews
from nxt_domain.meters.use_cases.post_messages import PostMessages
from nxt_domain.orders.bot_notices import TellBot
from nxt_domain.orders.use_cases.advance_transfers import AdvanceTransfers
from nxt_domain.orders.use_cases.export_payout import ExportPayout
from nxt_domain.shared.wakeups import Channel
from nxt_entrypoints.http.operations import Probe
from nxt_entrypoints.jobs.calendar import CALENDAR, running
from nxt_entrypoints.jobs.handlers import Handlers, ReportReceiver
from nxt_entrypoints.jobs.http import build_jobs
from nxt_entrypoints.jobs.loops import work_until_stopped
from nxt_entrypoints.jobs.maintenance import Maintenance
from nxt_entrypoints.jobs.message_engine import EngineSettings, MessageEngine
from nxt_entrypoints.jobs.money_metrics import PrometheusMoneyMetrics
from nxt_entrypoints.jobs.relay import OutboxRelay
from nxt_entrypoints.jobs.rq_threads import JobFunction
from nxt_entrypoints.jobs.settlement_worker import SettlementWorker
from nxt_entrypoints.ledger_audit import audit
from nxt_entrypoints.roles.base import Process, registry
from nxt_entrypoints.roles.scheduled import start_calendar
from nxt_entrypoints.settings.roles import Role
from nxt_entrypoints.wiring import messages, metering

_log = structlog.get_logger(__name__)
_NOTIFICATIONS_POLL_S = 2.0
_SEALING_POLL_S = 4.0
_INTENTS_POLL_S = 1.0
_money_metrics = PrometheusMoneyMetrics.of(registry)
_TRANSFERS_POLL_S = 2.0


async def start_jobs(process: Process, reports: ReportReceiver | None) -> None:
    """Open the jobs role in a process.

    Args:
        process: The process.
        reports: A telemetry role in the same process; None: it is called over HTTP.
    """
    capabilities = process.settings.artifact.capabilities
    is_embedded = not metering.is_stand_alone(process.settings)
    figures = [_start_engine(process)] if capabilities.metering.enabled and is_embedded else []
    if capabilities.payments.enabled:
        _start_settlement(process)
        figures.append(partial(_money_metrics.read, PostgresMoneyWatch(process.container.engine())))
    if messages.is_configured(process.settings):
        _start_notifications(process)
    if process.settings.has("NXT_SECRETS_KEYS"):
        _start_sealing(process)
    if capabilities.metering.enabled:
        _start_intents(process)
    _start_relay(process, reports)
    if running(CALENDAR, process.settings):
        start_calendar(process, Role.JOBS, CALENDAR, await job_functions(process))
    app = build_jobs(
        gate=process.internal_gate(),
        settings=process.http_settings(),
        readiness=attrs.evolve(process.readiness(), before_scrape=partial(_read_all, figures)),
        registry=registry,
    )
    await process.listen(Role.JOBS, app)


async def _read_all(figures: Sequence[Probe]) -> None:
    """Bring all figures up to date that are read at a scrape; one that can't be read fails it."""
    for read in figures:
        await read()


def _start_engine(process: Process) -> Probe:
    """Start the message engine; return what reads the depth of its queues for a scrape [DM-169]."""
    container = process.container
    messaging = process.settings.artifact.capabilities.metering.messaging
    settings = EngineSettings(is_enabled=messaging.engine.enabled, owner=container.name())
    engine = MessageEngine(container.workshop(), container.plugins(), settings)
    chirpstack = container.enabled_chirpstack()
    if chirpstack is not None:
        process.on_close(chirpstack.close)
    process.on_close(container.calin_clouds().close)

    async def run(stopping: asyncio.Event) -> None:
        engine.start()
        await stopping.wait()
        await engine.stop()

    process.run("message engine", run)
    return partial(container.messaging_metrics().read_depths, container.message_store, container.plugins().lanes)


def _start_settlement(process: Process) -> None:
    container = process.container
    worker = SettlementWorker(settle=container.settle_orders(), wake_ups=container.wake_ups())
    process.on_close(container.merchant_accounts().close)  # the relay's verifications ask gateways
    process.run("settlement", worker.run)
    if process.settings.artifact.capabilities.metering.enabled:
        process.run("credit transfers", partial(_transfer_credit, container.advance_transfers()))


async def _transfer_credit(advance: AdvanceTransfers, stopping: asyncio.Event) -> None:
    """Look by the clock alone: a few times a day somebody moves credit, and each step takes a meter some seconds."""
    nobody = asyncio.Event()
    await work_until_stopped("credit transfers", advance, woken=nobody, stopping=stopping, poll_s=_TRANSFERS_POLL_S)


def _start_notifications(process: Process) -> None:
    dispatch = process.container.dispatch_sms()
    process.on_close(process.container.sms().close)
    woken = process.container.wake_ups().subscribe(Channel.NOTIFICATIONS)

    async def run(stopping: asyncio.Event) -> None:
        await work_until_stopped(
            "notifications", dispatch, woken=woken, stopping=stopping, poll_s=_NOTIFICATIONS_POLL_S
        )

    process.run("notifications", run)


def _start_intents(process: Process) -> None:
    """Register what clients wrote into the intent columns of meters, within two seconds (R16)."""
    register = process.container.register_intents()

    async def run(stopping: asyncio.Event) -> None:
        nobody = asyncio.Event()  # triggers can't hint: the inbox is looked into by the clock alone
        await work_until_stopped("intents", register, woken=nobody, stopping=stopping, poll_s=_INTENTS_POLL_S)

    process.run("intents", run)


def _start_sealing(process: Process) -> None:
    """Seal what clients wrote into write-only columns, within five seconds (R15)."""
    store = process.container.secret_store()

    async def run(stopping: asyncio.Event) -> None:
        nobody = asyncio.Event()  # SQL can't hint: the inbox is looked into by the clock alone
        await work_until_stopped("secrets", store.empty_inbox, woken=nobody, stopping=stopping, poll_s=_SEALING_POLL_S)

    process.run("secrets", run)


def _tracker(process: Process) -> IssueTracker | None:
    tracker = process.container.tracker()
    if tracker is not None:
        process.on_close(tracker.close)
    return tracker


def _post_messages(process: Process) -> PostMessages | None:
    if not metering.is_stand_alone(process.settings):
        return None
    process.on_close(process.container.messaging_client().close)
    return process.container.post_messages()


def _grid_news(process: Process) -> GridNews | None:
    news = process.container.announcements().grid_news()
    if news is not None:
        process.on_close(news.close)
    return news


def _tell_bot(process: Process) -> TellBot:
    bot = process.container.announcements().top_up_bot()
    if bot is None:
        _log.info("top-ups are not announced in chats")
    else:
        process.on_close(bot.close)
    return process.container.announcements().tell_bot()


def _payout_export(process: Process) -> ExportPayout:
    export = process.container.announcements().accounting_export()
    if export is not None:
        process.on_close(export.close)
    return process.container.announcements().export_payout()


def _start_relay(process: Process, reports: ReportReceiver | None) -> None:
    container = process.container
    receiver = reports
    if receiver is None:
        receiver = container.telemetry_role()
        process.on_close(container.telemetry_role().close)
    process.on_close(partial(metering.close_makers, container.token_makers()))
    handlers = Handlers(
        apply_delivery_events=container.apply_delivery_events(),
        process_gateway_events=container.process_gateway_events(),
        fulfil_top_up=container.fulfil_top_up(),
        charge_by_ussd=container.charge_by_ussd(),
        refund_suspense=container.refund_suspense(),
        export_payout=_payout_export(process),
        tell_bot=_tell_bot(process),
        realtime=container.realtime(),
        reports=receiver,
        forwards_reports=process.settings.jobs_enabled,
        tracker=_tracker(process),
        grid_news=_grid_news(process),
        post_messages=_post_messages(process),
    )
    relay = OutboxRelay(
        queue=container.outbox_queue(),
        lanes=handlers.lanes(),
        owner=container.name(),
        subscribe=container.wake_ups().subscribe,
    )
    process.run("outbox relay", relay.run)


async def job_functions(process: Process) -> Mapping[str, JobFunction]:
    """Find what this deployment runs of the role's calendar."""
    container = process.container
    maintenance = Maintenance(container.engine())
    functions: dict[str, JobFunction] = {
        "release-suspended": container.release_suspended(),
        "expire-interactions": container.expire_interactions(),
        "sweep-interactions": container.sweep_interactions(),
        "refresh-hot-balances": maintenance.refresh_hot_balances,
        "chain-audit-log": container.chain_audit_log(),
        "verify-audit-log": partial(_verify_audit_log, process),
        "ensure-partitions": maintenance.ensure_partitions,
        "purge-done-work": maintenance.purge_done_work,
        "forget-old-rows": _retention(process),
    }
    if process.settings.artifact.capabilities.payments.enabled:
        functions["reconcile-gateway-orders"] = container.reconcile_gateway_orders()
        functions["ledger-audit"] = partial(_audit_ledger, process)
        if process.settings.artifact.integrations.revenue_reports.enabled:
            functions["revenue-report"] = container.reports().report_revenue()
    if process.settings.series_url:
        functions |= await _reports(process)
    return functions


def _retention(process: Process) -> PostgresRetention:
    settings = process.settings
    archive_days = settings.artifact.capabilities.metering.messaging.delivery.archive_days
    return PostgresRetention(
        process.container.engine(),
        reports=timedelta(days=settings.integer("READ_REPORT_RETENTION_DAYS")),
        messages=timedelta(days=archive_days),
    )


async def _reports(process: Process) -> Mapping[str, JobFunction]:
    """Open the series for what is drawn up of them [PAY-162, PAY-187]."""
    container, capabilities = process.container, process.settings.artifact.capabilities
    await container.series_pool().open(wait=False)
    process.on_close(container.series_pool().close)
    found: dict[str, JobFunction] = {"lifeline": container.reports().classify_lifelines()}
    if capabilities.payments.enabled:
        found["generate-payouts"] = container.reports().generate_payouts()
    return found


async def _audit_ledger(process: Process) -> str:
    """Check the books; nothing is corrected by itself, people are told [PAY-133]."""
    findings = await audit(process.settings.relational_url)
    _money_metrics.audited(len(findings))
    for finding in findings:
        _log.error("the books are not in order", code="LEDGER_AUDIT", finding=str(finding))
    return f"{len(findings)} findings"


async def _verify_audit_log(process: Process) -> str:
    """Check the chain over the audit log; people are told of what is wrong [REL-167]."""
    findings = await process.container.verify_audit_log()()
    for finding in findings:
        _log.error("the audit log was tampered with, or is not linked", code="AUDIT_LOG", finding=str(finding))
    return f"{len(findings)} findings"
