"""What the routes of the API role need; the container satisfies it."""

from __future__ import annotations

from typing import Protocol

from nxt_adapters.chirpstack.ingress import ChirpStackIngress
from nxt_domain.messaging.use_cases.apply_event import ApplyDeviceEvent
from nxt_domain.orders.use_cases.gateway_events import ReceiveGatewayEvent
from nxt_domain.orders.use_cases.public_orders import CancelPublicOrder, CheckPublicOrder, InitialisePublicOrder
from nxt_entrypoints.api.money_services import MoneyServices
from nxt_entrypoints.api.own_orders import VerifyOwnOrder
from nxt_entrypoints.api.people_services import PeopleServices
from nxt_entrypoints.api.register_services import RegisterServices
from nxt_entrypoints.api.site_services import SiteServices
from nxt_entrypoints.api.stand_alone_messaging import StandAloneMessaging
from nxt_entrypoints.api.webhook_secrets import WebhookGuard


class ApiServices(Protocol):
    """Use cases of the API role, ready to be called; newer ones come in groups, one for each area of routes."""

    @property
    def money(self) -> MoneyServices:
        """Orders, reversals, payouts."""

    @property
    def people(self) -> PeopleServices:
        """Members, agents, customers and their logins."""

    @property
    def sites(self) -> SiteServices:
        """Grids and what stands on them."""

    @property
    def registers(self) -> RegisterServices:
        """Customers, contracts, meters, issues and notes."""

    @property
    def initialise_public_order(self) -> InitialisePublicOrder:
        """Begins a purchase on the pay page."""

    @property
    def check_public_order(self) -> CheckPublicOrder:
        """Tells the pay page where a purchase stands."""

    @property
    def cancel_public_order(self) -> CancelPublicOrder:
        """Gives a purchase up."""

    @property
    def verify_order(self) -> VerifyOwnOrder:
        """Asks the gateway about an order of the caller's tenant."""

    @property
    def webhook_guard(self) -> WebhookGuard:
        """Knows the payment gateway by its secret hash."""

    @property
    def receive_gateway_event(self) -> ReceiveGatewayEvent:
        """Stores what the gateway says."""

    @property
    def chirpstack_ingress(self) -> ChirpStackIngress:
        """Reads what the network server posts."""

    @property
    def stand_alone_messaging(self) -> StandAloneMessaging:
        """Device messaging in a process of its own."""

    @property
    def apply_device_event(self) -> ApplyDeviceEvent:
        """Tells the engine what a device or network said."""
