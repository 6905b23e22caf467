"""The process of the stand-alone mode: opened from settings, closed in order [DM-172, DM-173]."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial

import attrs
import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.event_outbox import PostgresEventOutbox
from nxt_adapters.supabase.messages import PostgresDeviceMessages
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.stand_alone import StandAloneStore, Upkeep
from nxt_adapters.supabase.wakeups import PostgresWakeUps
from nxt_adapters.system.clock import SystemClock
from nxt_adapters.webhook import WebhookReceiver, WebhookSettings
from nxt_domain.messaging.ports import DeviceMessages, MessagingMetrics
from nxt_domain.messaging.use_cases.apply_event import ApplyDeviceEvent
from nxt_domain.messaging.use_cases.changes import Workshop
from nxt_domain.messaging.use_cases.commands import Commands
from nxt_domain.messaging.use_cases.deliver_events import DeliverEvents
from nxt_domain.messaging.webhooks import WebhookPolicy
from nxt_domain.shared.ids import UlidFactory
from nxt_domain.shared.wakeups import Channel
from nxt_entrypoints.garbage import spare_what_stays
from nxt_entrypoints.http.operations import Readiness
from nxt_entrypoints.http.server import HttpServer
from nxt_entrypoints.jobs.loops import sleep_until_woken
from nxt_entrypoints.jobs.message_engine import EngineSettings, MessageEngine
from nxt_entrypoints.jobs.messaging_metrics import PrometheusMessagingMetrics
from nxt_entrypoints.messaging.app import build_messaging
from nxt_entrypoints.messaging.document import EventWebhook
from nxt_entrypoints.messaging.event_drain import EventDrain
from nxt_entrypoints.messaging.metrics import PrometheusEventMetrics
from nxt_entrypoints.messaging.plugins import Plugin, Plugins, build_plugins
from nxt_entrypoints.messaging.settings import MessagingSettings
from nxt_entrypoints.wiring.tuning import policy_of

_log = structlog.get_logger(__name__)
_GRACE_S = 20.0
_UPKEEP_S = 3600.0


@attrs.frozen(kw_only=True)
class _Services:
    """``Services`` of the routes."""

    commands: Commands
    apply_event: ApplyDeviceEvent
    plugins: Mapping[str, Plugin]
    metrics: MessagingMetrics


class MessagingProcess:
    """Everything one process of the stand-alone mode is made of. Any number may run over one database [DM-3].

    Args:
        settings: Checked.
        registry: Figures of the process.

    Raises:
        ConfigInvalid: A plug-in can't be built.
    """

    def __init__(self, settings: MessagingSettings, registry: CollectorRegistry) -> None:
        document = settings.document
        self._settings = settings
        self._stack = AsyncExitStack()
        self._http = AsyncExitStack()
        self._loops: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._policy = policy_of(document.delivery)
        self._new_id = UlidFactory(SystemClock())
        self.plugins: Plugins = build_plugins(settings, self._new_id)
        self._engine: AsyncEngine = create_engine(
            settings.database_url.reveal(), application_name="nxt messaging", role=None
        )
        self._stack.push_async_callback(self._engine.dispose)
        self._stack.push_async_callback(self.plugins.close)
        self._wakeups = PostgresWakeUps(settings.database_url.reveal())
        self._metrics = PrometheusMessagingMetrics(registry)
        workshop = Workshop(
            begin=self._begin,
            lanes=self.plugins.deliverers.lanes,
            policy=self._policy,
            new_id=self._new_id,
            wakeups=self._wakeups,
            metrics=self._metrics,
        )
        self._message_engine = MessageEngine(
            workshop, self.plugins.deliverers, EngineSettings(is_enabled=document.engine.enabled)
        )
        self._upkeep = Upkeep(self._engine, timedelta(days=self._policy.archive_days))
        self._drain = None if document.event_webhook is None else self._event_drain(document.event_webhook, registry)
        services = _Services(
            commands=Commands(begin=self._begin, wakeups=self._wakeups),
            apply_event=ApplyDeviceEvent(workshop),
            plugins=self.plugins.by_id,
            metrics=self._metrics,
        )
        self._app = build_messaging(
            services, api_key=settings.api_key.reveal(), readiness=self._readiness(), registry=registry
        )

    @property
    def app(self) -> web.Application:
        """What it serves."""
        return self._app

    async def open(self) -> None:
        """Start the loops and begin to listen; neither the database nor a vendor has to be there [DM-172].

        Raises:
            OSError: The port is taken.
        """
        await self._wakeups.start()
        self._stack.push_async_callback(self._wakeups.stop)
        server = HttpServer(self._app, host=self._settings.host, port=self._settings.port, grace_s=_GRACE_S)
        await self._http.enter_async_context(server)
        self._message_engine.start()
        self._loops.append(asyncio.create_task(self._keep_up(), name="messaging-upkeep"))
        if self._drain is not None:
            self._loops.append(asyncio.create_task(self._drain.run(self._stopping), name="messaging-events"))
        _log.info("listening", module="messaging", host=self._settings.host, port=server.port)
        for warning in self._settings.warnings:
            _log.warning(warning, module="messaging")

    async def close(self) -> None:
        """Begin nothing more, finish what is under way within twenty seconds, then close the database [DM-173]."""
        self._stopping.set()
        await asyncio.gather(self._message_engine.stop(), self._http.aclose(), *self._loops)
        await self._stack.aclose()

    def _begin(self) -> StandAloneStore:
        tells = self._settings.document.event_webhook is not None
        return StandAloneStore(self._engine, messages_of=self._messages_of, tells=tells, metrics=self._metrics)

    def _messages_of(self, session: Session) -> DeviceMessages:
        return PostgresDeviceMessages(
            session,
            couriers=self.plugins.deliverers.couriers,
            new_id=self._new_id,
            policy=self._policy,
            metrics=self._metrics,
        )

    def _event_drain(self, webhook: EventWebhook, registry: CollectorRegistry) -> EventDrain:
        receiver = WebhookReceiver(
            WebhookSettings(
                url=webhook.url,
                secret=self._settings.webhook_secret.reveal(),
                timeout_s=webhook.request_timeout_ms / 1000,
            )
        )
        policy = WebhookPolicy(
            max_attempts=webhook.max_attempts,
            base_delay_ms=webhook.base_delay_ms,
            multiplier=webhook.backoff_multiplier,
            max_delay_ms=webhook.max_delay_ms,
            request_timeout_ms=webhook.request_timeout_ms,
            dead_letter_ttl_s=webhook.dead_letter_ttl_seconds,
        )
        self._stack.push_async_callback(receiver.close)
        woken = self._wakeups.subscribe(Channel.OUTBOX)
        deliver = DeliverEvents(
            outbox=PostgresEventOutbox(self._engine),
            receiver=receiver,
            policy=policy,
            metrics=PrometheusEventMetrics(registry),
            ended=woken,
        )
        return EventDrain(deliver, woken)

    def _readiness(self) -> Readiness:
        lanes = self.plugins.deliverers.lanes
        return Readiness(
            probes={"database": self._database},
            warnings=lambda: self._settings.warnings,
            before_scrape=partial(self._metrics.read_depths, self._begin, lanes),
        )

    async def _database(self) -> None:
        async with self._engine.connect() as connection:
            await connection.execute(text("select 1 from messaging.device_messages limit 1"))

    async def _keep_up(self) -> None:
        webhook = self._settings.document.event_webhook
        nobody = asyncio.Event()
        while not self._stopping.is_set():
            try:
                await self._upkeep()
                if webhook is not None:
                    kept = timedelta(seconds=webhook.dead_letter_ttl_seconds)
                    await PostgresEventOutbox(self._engine).prune(kept)
            except Exception as error:  # noqa: BLE001 - housekeeping is done again in an hour; the log tells why not now
                _log.warning("housekeeping failed", module="messaging", error=type(error).__name__)
            await sleep_until_woken(nobody, self._stopping, _UPKEEP_S)


async def serve(settings: MessagingSettings, registry: CollectorRegistry) -> None:
    """Run until SIGTERM or SIGINT.

    Args:
        settings: Checked.
        registry: Figures of the process.

    Raises:
        ConfigInvalid: A plug-in can't be built.
        OSError: The port is taken.
    """
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    process = MessagingProcess(settings, registry)
    try:
        await process.open()
        spare_what_stays()
        await stop.wait()
        _log.info("stopping", module="messaging")
    finally:
        await process.close()
