"""Everything the roles are made of, in one container; a test or a notebook overrides any provider with a fake."""

from __future__ import annotations

import os
import secrets
import socket

from aiohttp import ClientSession
from dependency_injector import containers, providers
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from nxt_adapters.gotrue.sessions import GoTrueSessions
from nxt_adapters.internal.device_data_sink import DeviceDataSink
from nxt_adapters.internal.hardware_imports import ProvisioningRole
from nxt_adapters.internal.hourly_reports import TelemetryRole
from nxt_adapters.socketio.realtime import SocketIoRealtime
from nxt_adapters.supabase.api_keys import PostgresApiKeys
from nxt_adapters.supabase.contact_claims import PostgresContactClaims
from nxt_adapters.supabase.engine import create_engine, for_reading
from nxt_adapters.supabase.idempotency import PostgresIdempotencyKeys
from nxt_adapters.supabase.identity import PostgresAccounts, PostgresGridOwners
from nxt_adapters.supabase.job_leases import PostgresJobLeases
from nxt_adapters.supabase.logins import PostgresIdentityProvider
from nxt_adapters.supabase.messages import PostgresDeviceMessages, PostgresMessageStore
from nxt_adapters.supabase.notification_queue import PostgresNotificationQueue
from nxt_adapters.supabase.outbox import PostgresOutboxQueue
from nxt_adapters.supabase.reads import ReadPool
from nxt_adapters.supabase.secret_store import PostgresSecretStore
from nxt_adapters.supabase.unit_of_work import SupabaseReading, SupabaseUnitOfWork
from nxt_adapters.supabase.wakeups import PostgresWakeUps
from nxt_adapters.system.clock import SystemClock
from nxt_adapters.timescale.pool import create_series_pool
from nxt_adapters.victron.vrm import VrmSiteDevices
from nxt_domain.identity.use_cases import AuthenticateKey, AuthenticateService, AuthenticateUser
from nxt_domain.identity.use_cases.sign_in import ConfirmLocalSession, SignIn
from nxt_domain.messaging.use_cases.apply_event import ApplyDeviceEvent
from nxt_domain.messaging.use_cases.changes import Workshop
from nxt_domain.messaging.use_cases.receive_events import ReceiveDeliveryEvent
from nxt_domain.meters.intents import RegisterIntents
from nxt_domain.meters.use_cases.apply_delivery_events import ApplyDeliveryEvents
from nxt_domain.meters.use_cases.command_meters import MeterCommands
from nxt_domain.meters.use_cases.complete_top_up import CompleteTopUp
from nxt_domain.meters.use_cases.expire_interactions import ExpireInteractions
from nxt_domain.meters.use_cases.post_messages import PostMessages
from nxt_domain.meters.use_cases.release_suspended import ReleaseSuspended
from nxt_domain.meters.use_cases.sweep_interactions import SweepInteractions
from nxt_domain.meters.use_cases.top_ups import TopUpCommands
from nxt_domain.notifications.dispatch import DispatchSms
from nxt_domain.orders.use_cases.advance_transfers import AdvanceTransfers
from nxt_domain.orders.use_cases.fulfil_top_up import FulfilTopUp
from nxt_domain.orders.use_cases.gateway_events import ProcessGatewayEvents, ReceiveGatewayEvent
from nxt_domain.orders.use_cases.place_order import OrderPlacement
from nxt_domain.orders.use_cases.public_orders import CancelPublicOrder, CheckPublicOrder, InitialisePublicOrder
from nxt_domain.orders.use_cases.reconcile import ReconcileGatewayOrders
from nxt_domain.orders.use_cases.refund_suspense import RefundSuspense
from nxt_domain.orders.use_cases.settle_orders import SettleOrders
from nxt_domain.orders.use_cases.ussd_purchase import ChargeByUssd, PlaceUssdOrder
from nxt_domain.orders.use_cases.verification import PaymentVerification
from nxt_domain.orders.use_cases.verify_order import VerifyOrder
from nxt_domain.shared.chain_audit_log import ChainAuditLog, VerifyAuditLog
from nxt_domain.shared.ids import UlidFactory
from nxt_entrypoints.api.own_orders import VerifyOwnOrder
from nxt_entrypoints.background import Background
from nxt_entrypoints.jobs.messaging_metrics import PrometheusMessagingMetrics
from nxt_entrypoints.jobs.money_metrics import PrometheusMoneyMetrics
from nxt_entrypoints.settings.roles import Role
from nxt_entrypoints.settings.settings import Settings
from nxt_entrypoints.wiring import calin, identity, messages, metering, payments, plants
from nxt_entrypoints.wiring import people as people_wiring
from nxt_entrypoints.wiring.announcements import Announcements
from nxt_entrypoints.wiring.money import Money
from nxt_entrypoints.wiring.people import People
from nxt_entrypoints.wiring.registers import Registers, has_tracker, tracker
from nxt_entrypoints.wiring.reports import Reports
from nxt_entrypoints.wiring.secrets import secret_box
from nxt_entrypoints.wiring.sites import Sites

_READ_CONNECTIONS = 10


def process_name() -> str:
    """Name this process in leases and logs, uniquely."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


def process_money_metrics() -> PrometheusMoneyMetrics:
    """Return the one set of money's figures of this process."""
    return PrometheusMoneyMetrics.of(REGISTRY)


def process_messaging_metrics() -> PrometheusMessagingMetrics:
    """Return the figures of device messaging that all roles of this process share."""
    return PrometheusMessagingMetrics.of(REGISTRY)


def _engine_connections(settings: Settings) -> int:
    """The API role's connections are twenty in all, those for reading among them [API-204]."""
    return 20 - _READ_CONNECTIONS if Role.API in settings.roles else 20


class Container(containers.DeclarativeContainer):
    """One process's objects; everything is made when it is first asked for, so what is off costs nothing."""

    settings = providers.Dependency(instance_of=Settings)
    artifact = settings.provided.artifact

    # The process and its stores.
    clock = providers.Singleton(SystemClock)
    name = providers.Singleton(process_name)
    new_id = providers.Singleton(UlidFactory, clock)
    engine = providers.Singleton(
        create_engine, settings.provided.relational_url, pool_size=providers.Callable(_engine_connections, settings)
    )
    read_pool = providers.Singleton(ReadPool, settings.provided.relational_url, max_size=_READ_CONNECTIONS)
    wake_ups = providers.Singleton(PostgresWakeUps, settings.provided.relational_url)
    series_pool = providers.Singleton(create_series_pool, settings.provided.series_url)
    valkey = providers.Singleton(Redis.from_url, settings.provided.valkey_url)
    http_session = providers.Singleton(ClientSession)
    secret_box = providers.Singleton(secret_box, settings)
    secret_store = providers.Singleton(PostgresSecretStore, engine, secret_box)
    outbox_queue = providers.Singleton(PostgresOutboxQueue, engine)
    idempotency_keys = providers.Singleton(PostgresIdempotencyKeys, engine)
    job_leases = providers.Singleton(PostgresJobLeases, engine, name)

    # Device messages.
    chirpstack = providers.Singleton(metering.chirpstack_api, settings)
    enabled_chirpstack = providers.Singleton(
        lambda settings, channel: channel() if metering.uses_chirpstack(settings) else None,
        settings,
        chirpstack.provider,
    )
    calin_clouds = providers.Singleton(calin.clouds, settings)
    plugins = providers.Singleton(metering.plugins, settings, enabled_chirpstack, calin_clouds)
    delivery_policy = providers.Singleton(metering.delivery_policy, settings)
    messaging_metrics = providers.Singleton(process_messaging_metrics)
    message_store = providers.Factory(PostgresMessageStore, engine, messaging_metrics)
    workshop = providers.Singleton(
        Workshop,
        begin=message_store.provider,
        lanes=plugins.provided.lanes,
        policy=delivery_policy,
        new_id=new_id,
        wakeups=wake_ups,
        metrics=messaging_metrics,
    )
    device_messages = providers.Factory(
        PostgresDeviceMessages,
        couriers=plugins.provided.couriers,
        new_id=new_id,
        policy=delivery_policy,
        metrics=messaging_metrics,
    )
    apply_device_event = providers.Singleton(ApplyDeviceEvent, workshop)
    messaging_client = providers.Singleton(metering.messaging_client, settings)
    remote_messages = providers.Factory(metering.remote_messages, service=messaging_client, new_id=new_id)
    messages_of = providers.Singleton(
        metering.chosen_messages, settings, device_messages.provider, remote_messages.provider
    )
    chirpstack_ingress = providers.Singleton(metering.chirpstack_ingress, settings)

    # One transaction over the relational plane.
    unit_of_work = providers.Factory(SupabaseUnitOfWork, engine, messages_of, secret_box.provider)
    begin = unit_of_work.provider
    reading_engine = providers.Singleton(for_reading, engine)
    begin_reading = providers.Factory(SupabaseReading, reading_engine, messages_of, read_pool).provider
    receive_delivery_event = providers.Singleton(ReceiveDeliveryEvent, begin=begin, wakeups=wake_ups)
    stand_alone_messaging = providers.Singleton(
        metering.stand_alone_messaging, settings, receive_delivery_event, messaging_client.provider
    )

    # Areas of routes.
    device_data_sink = providers.Singleton(
        DeviceDataSink,
        base_url=settings.provided.text_or_none.call("YETI_API"),
        internal_key=settings.provided.text_or_none.call("INTERNAL_API_KEY"),
    )
    registers = providers.Container(
        Registers,
        begin=begin,
        begin_reading=begin_reading,
        clock=clock,
        valkey=valkey,
        has_tracker=providers.Callable(has_tracker, settings),
        engine=engine,
        series_pool=series_pool,
    )
    background = providers.Singleton(Background)
    vrm_budget = providers.Singleton(plants.vrm_budget, settings, valkey)
    vrm = providers.Singleton(plants.vrm_api, settings, vrm_budget, clock)
    provisioning_role = providers.Singleton(
        ProvisioningRole,
        base_url=settings.provided.text_or_none.call("TALOS_API"),
        internal_key=settings.provided.text_or_none.call("INTERNAL_API_KEY"),
    )
    sites = providers.Container(
        Sites,
        begin=begin,
        begin_reading=begin_reading,
        clock=clock,
        operations_app=artifact.public.messages.get.call("auditOpsApp", "Ayrton"),
        provisioning_role=provisioning_role,
        background=background,
        job_leases=job_leases,
        sensor_readings=device_data_sink,
        site_devices=providers.Singleton(VrmSiteDevices, vrm),
    )

    # Meters.
    token_makers = providers.Singleton(metering.token_makers, settings, calin_clouds)
    top_ups = providers.Singleton(TopUpCommands, clock=clock, makers=token_makers)
    complete_top_up = providers.Singleton(
        CompleteTopUp, begin=begin, clock=clock, makers=token_makers, wakeups=wake_ups
    )
    post_messages = providers.Singleton(
        PostMessages, begin=begin, service=messaging_client, clock=clock, wakeups=wake_ups
    )
    apply_delivery_events = providers.Singleton(ApplyDeliveryEvents, begin=begin, clock=clock, wakeups=wake_ups)
    release_suspended = providers.Singleton(ReleaseSuspended, begin=begin, clock=clock, wakeups=wake_ups)
    expire_interactions = providers.Singleton(ExpireInteractions, begin=begin, clock=clock)
    register_intents = providers.Singleton(RegisterIntents, begin)
    sweep_interactions = providers.Singleton(SweepInteractions, begin=begin, clock=clock, wakeups=wake_ups)
    telemetry_role = providers.Singleton(
        TelemetryRole,
        base_url=settings.provided.text.call("YETI_API"),
        internal_key=settings.provided.text.call("INTERNAL_API_KEY"),
    )

    # Orders and payments.
    organization_keys = providers.Singleton(payments.organization_keys, settings, engine, secret_box.provider)
    merchant_accounts = providers.Singleton(payments.merchant_accounts, settings, organization_keys)
    placement = providers.Singleton(
        OrderPlacement, clock=clock, platform_organization_id=artifact.deployment.admin_organization_id
    )
    initialise_public_order = providers.Singleton(
        InitialisePublicOrder,
        begin=begin,
        begin_reading=begin_reading,
        placement=placement,
        accounts=merchant_accounts,
        clock=clock,
        system_wallet_id=artifact.deployment.system_wallet_id,
        is_production=settings.provided.is_production,
    )
    is_reference_required = settings.provided.flag.call("PUBLIC_ORDER_STRICT")
    check_public_order = providers.Singleton(
        CheckPublicOrder, begin=begin_reading, is_reference_required=is_reference_required
    )
    cancel_public_order = providers.Singleton(
        CancelPublicOrder, begin=begin, is_reference_required=is_reference_required
    )
    money = providers.Container(
        Money,
        begin=begin,
        clock=clock,
        placement=placement,
        accounts=merchant_accounts,
        people=providers.Singleton(PostgresAccounts, engine),
        series=series_pool,
        wake_ups=wake_ups,
        system_wallet_id=artifact.deployment.system_wallet_id,
    )
    verification = providers.Singleton(
        PaymentVerification,
        begin=begin,
        accounts=merchant_accounts,
        clock=clock,
        wake_ups=wake_ups,
        metrics=providers.Singleton(process_money_metrics),
    )
    verify_order = providers.Singleton(
        VerifyOwnOrder, begin=begin, verify=providers.Singleton(VerifyOrder, begin=begin, verification=verification)
    )
    webhook_guard = providers.Singleton(payments.webhook_guard, settings, merchant_accounts)
    event_reader = providers.Singleton(payments.event_reader, settings)
    receive_gateway_event = providers.Singleton(
        ReceiveGatewayEvent, begin=begin, read_event=event_reader, wake_ups=wake_ups
    )
    process_gateway_events = providers.Singleton(
        ProcessGatewayEvents, begin=begin, verification=verification, clock=clock
    )
    reconcile_gateway_orders = providers.Singleton(
        ReconcileGatewayOrders, begin=begin, verification=verification, clock=clock
    )
    place_ussd_order = providers.Singleton(
        PlaceUssdOrder,
        begin=begin,
        placement=placement,
        accounts=merchant_accounts,
        new_reference=providers.Object(payments.new_reference),
        wake_ups=wake_ups,
        system_wallet_id=artifact.deployment.system_wallet_id,
    )
    charge_by_ussd = providers.Singleton(ChargeByUssd, begin=begin, accounts=merchant_accounts, wake_ups=wake_ups)
    refund_suspense = providers.Singleton(RefundSuspense, begin=begin, accounts=merchant_accounts, clock=clock)
    settle_orders = providers.Singleton(SettleOrders, begin=begin, top_ups=top_ups, clock=clock, wake_ups=wake_ups)
    advance_transfers = providers.Singleton(
        AdvanceTransfers,
        begin=begin,
        commands=providers.Singleton(MeterCommands, clock=clock, makers=token_makers),
        clock=clock,
        wake_ups=wake_ups,
    )
    fulfil_top_up = providers.Singleton(
        FulfilTopUp, begin=begin, top_ups=top_ups, complete=complete_top_up, clock=clock
    )

    # What the calendar draws up, and what platforms outside are told.
    reports = providers.Container(
        Reports, settings=settings, begin=begin, series=series_pool, draft_payout=money.draft_payout, clock=clock
    )
    announcements = providers.Container(Announcements, settings=settings, begin=begin)

    # The chain over the audit log.
    chain_audit_log = providers.Singleton(ChainAuditLog, begin=begin, clock=clock)
    verify_audit_log = providers.Singleton(VerifyAuditLog, begin=begin, clock=clock)

    # News and messages to people.
    realtime = providers.Singleton(SocketIoRealtime, valkey)
    tracker = providers.Singleton(tracker, settings)
    sms = providers.Singleton(messages.sms, settings)
    dispatch_sms = providers.Singleton(
        DispatchSms, queue=providers.Singleton(PostgresNotificationQueue, engine), sms=sms
    )

    # Identity.
    accounts = providers.Singleton(PostgresAccounts, engine)
    grid_owners = providers.Singleton(PostgresGridOwners, engine)
    is_identity_local = providers.Callable(people_wiring.is_local, settings)
    local_logins = providers.Singleton(PostgresIdentityProvider, engine, clock)
    local_tokens = providers.Singleton(people_wiring.local_tokens, settings, clock)
    identity_provider = providers.Singleton(
        people_wiring.chosen,
        is_identity_local,
        local_logins.provider,
        providers.Singleton(people_wiring.gotrue, settings).provider,
    )
    live_sessions = providers.Singleton(
        people_wiring.chosen,
        is_identity_local,
        providers.Singleton(ConfirmLocalSession, provider=local_logins, tokens=local_tokens, clock=clock).provider,
        providers.Singleton(
            GoTrueSessions,
            settings.provided.text.call("SUPABASE_API_URL"),
            settings.provided.text.call("SUPABASE_ANON_KEY"),
            http_session,
        ).provider,
    )
    authenticate_user = providers.Singleton(
        AuthenticateUser,
        tokens=providers.Singleton(identity.jwt_verifier, settings, clock, http_session),
        accounts=accounts,
        sessions=live_sessions,
        clock=clock,
        admin_organization_id=artifact.deployment.admin_organization_id,
    )
    authenticate_key = providers.Singleton(
        AuthenticateKey,
        keys=providers.Singleton(PostgresApiKeys, engine),
        accounts=accounts,
        clock=clock,
        admin_organization_id=artifact.deployment.admin_organization_id,
        accept_plaintext=artifact.security.accept_plaintext_api_keys,
    )
    authenticate_service = providers.Singleton(
        AuthenticateService,
        internal_keys=providers.Singleton(identity.internal_keys, settings),
        by_key=authenticate_key,
    )
    sign_in = providers.Singleton(
        people_wiring.if_local,
        is_identity_local,
        providers.Singleton(
            SignIn, logins=local_logins, provider=local_logins, tokens=local_tokens, clock=clock
        ).provider,
    )
    people = providers.Container(
        People,
        begin=begin,
        provider=identity_provider,
        contacts=providers.Singleton(PostgresContactClaims, engine),
        clock=clock,
        deployment=artifact.deployment,
        charting=providers.Singleton(people_wiring.charting_tokens, settings, clock),
        sign_in=sign_in,
    )
