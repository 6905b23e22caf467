"""The JSON artifact that describes a deployment, as attrs classes [API-191].

Attribute names are the keys in snake case. Defaults are those of the specification; the artifact of a fresh
installation is ``Artifact()``: everything off that needs a secret. Rulings added ``identity`` (R30), ``http``
(R28), ``messaging`` and ``tuning`` (R28, R9), ``tokenVendors`` (R29), ``publicRequestsPerMinute`` (R8) and
``allowUnsignedUssd`` (R50).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from nxt_entrypoints.settings import checks
from nxt_entrypoints.settings.fields import Key, about, key
from nxt_entrypoints.settings.roles import Role

# typing.get_type_hints reads these at run time, so they cannot hide behind TYPE_CHECKING.
from collections.abc import Mapping  # isort: skip

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA_VERSION = "1"

LEGACY_OPEN_ROUTES = (
    "GET /lost-revenue/{id}",
    "PUT /issues",
    "POST /issues/recalculate",
    "POST /issues/debug",
)
"""Routes that may be opened again [API-193]."""


@frozen(kw_only=True)
class Breaker:
    """When calls to a vendor are stopped for a while."""

    failures: int = key(5, minimum=1, doc="failures in a row that open the circuit")
    open_ms: int = key(30_000, minimum=1, doc="how long it stays open, ms")


@frozen(kw_only=True)
class Http:
    """How a vendor is called; defaults as in API-37."""

    connect_timeout_ms: int = key(5_000, minimum=1, doc="time to connect, ms")
    timeout_ms: int = key(30_000, minimum=1, doc="time of the whole call, ms")
    attempts: int = key(3, minimum=1, maximum=10, doc="tries of an idempotent call, the first included")
    concurrency: int = key(10, minimum=1, maximum=1_000, doc="calls at once")
    queue_timeout_ms: int = key(10_000, minimum=1, doc="longest wait for one of them to end, ms")
    breaker: Breaker = field(factory=Breaker)


@frozen(kw_only=True)
class Provider:
    """An adapter bound to a port."""

    provider: str = key("", doc="id of the adapter", required=True)
    http: Http = field(factory=Http)


@frozen(kw_only=True)
class Tuning:
    """Pace and patience of a device adapter; ``None`` leaves it to the plug-in (R9, DM-166)."""

    min_interval_ms: int | None = key(None, minimum=0, doc="between sends of a radio network, 0 = unlimited")
    max_in_flight: int | None = key(None, minimum=0, doc="tasks at once of a gateway, 0 = unlimited")
    poll_ladder_ms: tuple[int, ...] | None = key(None, minimum=1, doc="waits between polls, ms")
    ns_in_flight_timeout_ms: int = key(20_000, minimum=1)
    relay_node_in_flight_timeout_ms: int = key(900_000, minimum=1)
    device_in_flight_timeout_ms: int = key(12_000, minimum=1)
    initial_poll_delay_ms: int = key(10_000, minimum=1)


@frozen(kw_only=True)
class DeviceAdapter(Provider):
    """A plug-in of device messaging."""

    tuning: Tuning = field(factory=Tuning)


@frozen(kw_only=True)
class Engine:
    """The message engine."""

    enabled: bool = key(True, doc="false: nothing is distributed, polled or timed out [DM-30]")


@frozen(kw_only=True)
class Delivery:
    """Retries and life of device messages [DM-164]."""

    max_retries: int = key(11, minimum=0)
    retry_base_delay_ms: int = key(2_000, minimum=1)
    retry_backoff_multiplier: float = key(2.0, minimum=1)
    retry_max_delay_ms: int = key(3_600_000, minimum=1)
    message_ttl_seconds: int = key(604_800, minimum=1)
    archive_days: int = key(90, minimum=0)


@frozen(kw_only=True)
class Messaging:
    """Device messaging in the embedded mode (R28)."""

    engine: Engine = field(factory=Engine)
    delivery: Delivery = field(factory=Delivery)


@frozen(kw_only=True)
class Sts:
    """Keys of the meters whose tokens are made here [STS-18]."""

    base_date: int = key(2014, check=checks.sts_base_date, doc="year that token identifiers count from")
    key_expiry: int = key(255, minimum=0, maximum=255, doc="key expiry number, 255 = never [STS-20]")


@frozen(kw_only=True)
class Production:
    """Capability: plants are watched."""

    enabled: bool = False
    energy_monitoring: Provider | None = None
    forecast: Provider | None = None
    router_monitoring: Provider | None = None


@frozen(kw_only=True)
class Metering:
    """Capability: meters are read and commanded."""

    enabled: bool = False
    device_adapters: tuple[DeviceAdapter, ...] = ()
    token_generator: Provider | None = field(
        default=None, metadata=about(Key(doc="vendor of tokens for CALIN_LORAWAN (R29)"))
    )
    token_vendors: Mapping[str, Provider] = field(
        factory=dict,
        metadata=about(Key(doc="vendor of tokens by protocol", check=checks.protocols, shorthand="provider")),
    )
    sts: Sts = field(factory=Sts)
    portal_provisioning: Provider | None = None
    ussd: Provider | None = None
    messaging: Messaging = field(factory=Messaging)

    def token_vendor(self, protocol: str) -> Provider:
        """Vendor that makes the tokens of a protocol such as ``CALIN_LORAWAN`` (R29).

        CALIN V1 and V2 meters take their maker's tokens unless the artifact says otherwise; the rest is
        ``native``.
        """
        chosen = self.token_vendors.get(protocol)
        if chosen is None and protocol == "CALIN_LORAWAN":
            chosen = self.token_generator
        own = {"CALIN_V1": "calin-api-v1", "CALIN_V2": "calin-api-v2"}.get(protocol, "native")
        return chosen or Provider(provider=own)


@frozen(kw_only=True)
class Payments:
    """Capability: money comes in and goes out."""

    enabled: bool = False
    providers: tuple[Provider, ...] = ()
    exchange_rates: Provider | None = None


@frozen(kw_only=True)
class Notifications:
    """Capability: people are told."""

    enabled: bool = False
    channels: tuple[Provider, ...] = ()


@frozen(kw_only=True)
class FieldOperations:
    """Capability: surveys, documents, tickets."""

    enabled: bool = False
    surveys: Provider | None = None
    documents: Provider | None = None
    issue_tracker: Provider | None = None


@frozen(kw_only=True)
class Automation:
    """Capability: the autopilot."""

    enabled: bool = False
    solver: Provider | None = None


@frozen(kw_only=True)
class Capabilities:
    """Tier 1 [API-194]."""

    production: Production = field(factory=Production)
    metering: Metering = field(factory=Metering)
    payments: Payments = field(factory=Payments)
    notifications: Notifications = field(factory=Notifications)
    field_operations: FieldOperations = field(factory=FieldOperations)
    automation: Automation = field(factory=Automation)


@frozen(kw_only=True)
class Integration:
    """A switch of tier 3."""

    enabled: bool = False


@frozen(kw_only=True)
class RevenueReports(Integration):
    """Weekly reports."""

    organization_ids: tuple[int, ...] = key((), minimum=1, doc="organizations that get them")


@frozen(kw_only=True)
class Integrations:
    """Tier 3 [API-196]."""

    loki: Integration = field(factory=Integration)
    sentry: Integration = field(factory=Integration)
    grafana: Integration = field(factory=Integration)
    telegram_topups: Integration = field(factory=Integration)
    software_alerts: Integration = field(factory=Integration)
    accounting_export: Integration = field(factory=Integration)
    revenue_reports: RevenueReports = field(factory=RevenueReports)


@frozen(kw_only=True)
class Identity:
    """Who keeps users and passwords (R30)."""

    provider: str = key("supabase", choices=("supabase", "local"))


@frozen(kw_only=True)
class Contacts:
    """Addresses of the operator."""

    site_submissions: str | None = key(None, check=checks.mail)
    software: str | None = key(None, check=checks.mail)
    mail_from: str | None = key(None, check=checks.mail)


@frozen(kw_only=True)
class Deployment:
    """Data references and presentation of this deployment."""

    admin_organization_id: int = key(2, minimum=1, doc="its members are platform staff")
    system_wallet_id: int = key(968, minimum=1, doc="wallet of the banking system")
    default_timezone: str = key("Africa/Lagos", check=checks.timezone)
    placeholder_email_domain: str = key("gmail.com", check=checks.domain)
    contacts: Contacts = field(factory=Contacts)
    frontend_base_url: str | None = key(None, check=checks.web_address, doc="links in tickets and mails")
    identity: Identity = field(factory=Identity)


@frozen(kw_only=True)
class Public:
    """The only subtree a browser may see."""

    platform_name: str = key("NXT", check=checks.not_blank)
    messages: Mapping[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class Security:
    """Switches; the report names those that differ from the default."""

    cors_origins: tuple[str, ...] = key(("*",), check=checks.origins)
    internal_auth: str = key("required", choices=("required", "off"))
    socket_auth: str = key("off", choices=("off", "optional", "required"))
    accept_plaintext_api_keys: bool = True
    allow_tenant_value_tokens: bool = False
    debug_routes: bool = False
    legacy_open_routes: tuple[str, ...] = key((), choices=LEGACY_OPEN_ROUTES)
    trusted_proxies: tuple[str, ...] = key((), check=checks.networks, doc="CIDR list")
    public_requests_per_minute: int = key(30, minimum=1, maximum=1_000_000, doc="per address (R8)")
    allow_unsigned_ussd: bool = key(False, doc="USSD callbacks without secret in production (R50)")


@frozen(kw_only=True)
class Jobs:
    """Schedules and production-only effects (R6)."""

    enabled: bool | None = key(None, doc="null: on exactly when NXT_ENV is production")


@frozen(kw_only=True)
class Artifact:
    """The whole document."""

    schema_version: str = key(SCHEMA_VERSION, name="$schemaVersion", required=True, check=checks.schema_version)
    deployment: Deployment = field(factory=Deployment)
    public: Public = field(factory=Public)
    capabilities: Capabilities = field(factory=Capabilities)
    integrations: Integrations = field(factory=Integrations)
    security: Security = field(factory=Security)
    jobs: Jobs = field(factory=Jobs)
    roles: tuple[Role, ...] = key((Role.API,), doc="default of --roles", check=checks.roles)

    def bound(self) -> Iterator[tuple[str, str, Provider]]:
        """Every bound adapter of the capabilities that are on: port, JSON path, provider object."""
        for port, path, provider in self.named():
            if self.enabled(port.partition(".")[0]):
                yield port, path, provider

    def named(self) -> Iterator[tuple[str, str, Provider]]:
        """Every adapter the document names, whether its capability is on or not."""
        tree = self.capabilities
        single: dict[str, Provider | None] = {
            "production.energyMonitoring": tree.production.energy_monitoring,
            "production.forecast": tree.production.forecast,
            "production.routerMonitoring": tree.production.router_monitoring,
            "metering.tokenGenerator": tree.metering.token_generator,
            "metering.portalProvisioning": tree.metering.portal_provisioning,
            "metering.ussd": tree.metering.ussd,
            "payments.exchangeRates": tree.payments.exchange_rates,
            "fieldOperations.surveys": tree.field_operations.surveys,
            "fieldOperations.documents": tree.field_operations.documents,
            "fieldOperations.issueTracker": tree.field_operations.issue_tracker,
            "automation.solver": tree.automation.solver,
        }
        several: dict[str, tuple[Provider, ...]] = {
            "metering.deviceAdapters": tree.metering.device_adapters,
            "payments.providers": tree.payments.providers,
            "notifications.channels": tree.notifications.channels,
        }
        for port, provider in single.items():
            if provider is not None:
                yield port, f"capabilities.{port}", provider
        for port, providers in several.items():
            for index, provider in enumerate(providers):
                yield port, f"capabilities.{port}[{index}]", provider
        for protocol, provider in tree.metering.token_vendors.items():
            yield "metering.tokenVendors", f"capabilities.metering.tokenVendors.{protocol}", provider

    def enabled(self, capability: str) -> bool:
        """Whether a capability, in the document's spelling, is on."""
        tree = self.capabilities
        switches = {
            "production": tree.production.enabled,
            "metering": tree.metering.enabled,
            "payments": tree.payments.enabled,
            "notifications": tree.notifications.enabled,
            "fieldOperations": tree.field_operations.enabled,
            "automation": tree.automation.enabled,
        }
        return switches[capability]

    def integrations_on(self) -> tuple[str, ...]:
        """Ids of the integrations that are on."""
        tree = self.integrations
        switches = {
            "loki": tree.loki,
            "sentry": tree.sentry,
            "grafana": tree.grafana,
            "telegramTopups": tree.telegram_topups,
            "softwareAlerts": tree.software_alerts,
            "accountingExport": tree.accounting_export,
            "revenueReports": tree.revenue_reports,
        }
        return tuple(name for name, switch in switches.items() if switch.enabled)
