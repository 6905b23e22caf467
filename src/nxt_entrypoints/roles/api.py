"""The API role: REST, Socket.IO and webhooks in; no long work."""

from __future__ import annotations

from functools import cached_property

import attrs

from nxt_adapters.chirpstack.ingress import ChirpStackIngress
from nxt_adapters.socketio import SocketServer
from nxt_adapters.socketio.server import SocketAuth
from nxt_domain.identity.model import Principal
from nxt_domain.identity.use_cases import AuthenticateDataReader
from nxt_domain.messaging.use_cases.apply_event import ApplyDeviceEvent
from nxt_domain.orders.use_cases.gateway_events import ReceiveGatewayEvent
from nxt_domain.orders.use_cases.public_orders import CancelPublicOrder, CheckPublicOrder, InitialisePublicOrder
from nxt_entrypoints.api.app import build_api
from nxt_entrypoints.api.money_services import MoneyServices
from nxt_entrypoints.api.own_orders import VerifyOwnOrder
from nxt_entrypoints.api.people_services import PeopleServices
from nxt_entrypoints.api.register_services import RegisterServices
from nxt_entrypoints.api.site_services import SiteServices
from nxt_entrypoints.api.stand_alone_messaging import StandAloneMessaging
from nxt_entrypoints.api.webhook_secrets import WebhookGuard
from nxt_entrypoints.container import Container
from nxt_entrypoints.http.guards import Gate
from nxt_entrypoints.http.rate_limit import ValkeyRateLimiter
from nxt_entrypoints.roles.base import Process, registry
from nxt_entrypoints.settings.roles import Role
from nxt_entrypoints.settings.settings import Settings
from nxt_entrypoints.wiring import metering, people


class ContainerServices:
    """``ApiServices`` out of the container, each made when a route first needs it.

    Args:
        container: The process's objects.
    """

    def __init__(self, container: Container) -> None:
        self._container = container

    @cached_property
    def money(self) -> MoneyServices:
        """See ``ApiServices``."""
        return self._container.money().services()

    @cached_property
    def people(self) -> PeopleServices:
        """See ``ApiServices``."""
        return self._container.people().services()

    @cached_property
    def sites(self) -> SiteServices:
        """See ``ApiServices``."""
        return self._container.sites().services()

    @cached_property
    def registers(self) -> RegisterServices:
        """See ``ApiServices``."""
        return self._container.registers().services()

    @cached_property
    def initialise_public_order(self) -> InitialisePublicOrder:
        """See ``ApiServices``."""
        return self._container.initialise_public_order()

    @cached_property
    def check_public_order(self) -> CheckPublicOrder:
        """See ``ApiServices``."""
        return self._container.check_public_order()

    @cached_property
    def cancel_public_order(self) -> CancelPublicOrder:
        """See ``ApiServices``."""
        return self._container.cancel_public_order()

    @cached_property
    def verify_order(self) -> VerifyOwnOrder:
        """See ``ApiServices``."""
        return self._container.verify_order()

    @cached_property
    def webhook_guard(self) -> WebhookGuard:
        """See ``ApiServices``."""
        return self._container.webhook_guard()

    @cached_property
    def receive_gateway_event(self) -> ReceiveGatewayEvent:
        """See ``ApiServices``."""
        return self._container.receive_gateway_event()

    @cached_property
    def chirpstack_ingress(self) -> ChirpStackIngress:
        """See ``ApiServices``."""
        return self._container.chirpstack_ingress()

    @cached_property
    def stand_alone_messaging(self) -> StandAloneMessaging:
        """See ``ApiServices``."""
        return self._container.stand_alone_messaging()

    @cached_property
    def apply_device_event(self) -> ApplyDeviceEvent:
        """See ``ApiServices``."""
        return self._container.apply_device_event()


async def start_api(process: Process) -> None:
    """Open the API role in a process."""
    container, settings = process.container, process.settings
    gate = _gate(container, settings)
    http = attrs.evolve(process.http_settings(), cors_origins=settings.artifact.security.cors_origins)
    await _open_clients(process)
    app = build_api(
        ContainerServices(container),
        gate=gate,
        settings=http,
        sockets=_sockets(container, settings, gate),
        readiness=process.readiness(),
        limiter=ValkeyRateLimiter(container.valkey(), http.limits),
        registry=registry,
        idempotency_keys=container.idempotency_keys(),
    )
    await process.listen(Role.API, app)


def _gate(container: Container, settings: Settings) -> Gate:
    return Gate(
        user=container.authenticate_user(),
        key=container.authenticate_key(),
        data=AuthenticateDataReader(container.authenticate_key()),
        ingress_key=settings.text_or_none("CHIRPSTACK_INGRESS_KEY"),
        open_routes=frozenset(settings.artifact.security.legacy_open_routes),
    )


def _sockets(container: Container, settings: Settings, gate: Gate) -> SocketServer:
    async def authenticate(token: str | None, key: str | None) -> Principal:
        return await gate.authenticate(token=token, key=key)

    security = settings.artifact.security
    return SocketServer(
        authenticate=authenticate,
        grid_owners=container.grid_owners(),
        clock=container.clock(),
        mode=SocketAuth(security.socket_auth),
        valkey_url=settings.valkey_url,
        origins=security.cors_origins,
    )


async def _open_clients(process: Process) -> None:
    """Open the series, and see to it that what this deployment reaches is closed with the process."""
    container, settings = process.container, process.settings
    if settings.series_url:
        await container.series_pool().open(wait=False)
        process.on_close(container.series_pool().close)
    if settings.artifact.capabilities.payments.enabled:
        process.on_close(container.merchant_accounts().close)
    if not people.is_local(settings):
        process.on_close(container.identity_provider().close)
    process.on_close(container.provisioning_role().close)
    if settings.artifact.capabilities.production.enabled:
        process.on_close(container.vrm().close)
    if metering.is_stand_alone(settings):
        process.on_close(container.messaging_client().close)
    process.on_close(container.device_data_sink().close)
    process.on_close(container.background().finish)
