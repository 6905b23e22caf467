"""Ports that the artifact binds, the adapters that fit them, and what each needs from the environment.

This is data: the container finds an adapter's class by its id, the loader asks here which variables that
adapter needs in which role [API-195, R5, R29]. A variable is required in every role that runs the adapter.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from attrs import frozen

from nxt_entrypoints.settings.roles import ALL_ROLES, Role, roles_of

if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen(kw_only=True)
class Port:
    """A place of the artifact that names an adapter.

    Attributes:
        path: Where it stands under ``capabilities``, in the artifact's spelling.
        noun: What messages call an adapter of it.
        required: Whether the capability cannot be on without one [API-197].
    """

    path: str
    noun: str
    required: bool = False

    @property
    def capability(self) -> str:
        """First part of the path."""
        return self.path.partition(".")[0]


@frozen(kw_only=True)
class Adapter:
    """An adapter that a port can name.

    Attributes:
        id: The id written in the artifact.
        port: Path of the port it fits.
        needs: Variables that have to be set, by role.
        options: Variables that it also reads.
        aliases: Other spellings of the id.
        production: Whether production may run it (R23).
    """

    id: str
    port: str
    needs: Mapping[Role, tuple[str, ...]] = {}
    options: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    production: bool = True


@frozen(kw_only=True)
class Integration:
    """A switch of the artifact's ``integrations`` [API-196]."""

    id: str
    needs: Mapping[Role, tuple[str, ...]] = {}


def _in(letters: str, *names: str) -> dict[Role, tuple[str, ...]]:
    roles = ALL_ROLES if letters == "*" else tuple(roles_of(letters))
    return dict.fromkeys(roles, names)


PORTS: tuple[Port, ...] = (
    Port(path="production.energyMonitoring", noun="energy monitoring", required=True),
    Port(path="production.forecast", noun="forecast"),
    Port(path="production.routerMonitoring", noun="router monitoring"),
    Port(path="metering.deviceAdapters", noun="device adapter", required=True),
    Port(path="metering.tokenGenerator", noun="token vendor"),
    Port(path="metering.tokenVendors", noun="token vendor"),
    Port(path="metering.portalProvisioning", noun="portal provisioning"),
    Port(path="metering.ussd", noun="USSD"),
    Port(path="payments.providers", noun="payments", required=True),
    Port(path="payments.exchangeRates", noun="exchange rates"),
    Port(path="notifications.channels", noun="notification channel", required=True),
    Port(path="fieldOperations.surveys", noun="surveys"),
    Port(path="fieldOperations.documents", noun="documents"),
    Port(path="fieldOperations.issueTracker", noun="issue tracker"),
    Port(path="automation.solver", noun="solver", required=True),
)

_CALIN_V1_ALL = (
    "CALIN_V1_API",
    "CALIN_V1_COMPANY_NAME",
    "CALIN_V1_ADMIN_USERNAME",
    "CALIN_V1_ADMIN_PASSWORD",
    "CALIN_V1_POS_USERNAME",
    "CALIN_V1_POS_PASSWORD",
    "CALIN_V1_MAINTENANCE_USERNAME",
    "CALIN_V1_MAINTENANCE_PASSWORD",
)
_CALIN_V2_COMMON = (
    "CALIN_V2_API",
    "CALIN_V2_COMPANY_NAME",
    "CALIN_V2_ADMIN_USERNAME",
    "CALIN_V2_PASSWORD",
    "CALIN_V2_CUSTOMER_ID",
)
_CALIN_V2_ALL = (*_CALIN_V2_COMMON, "CALIN_V2_POS_PASSWORD")

DEVICE_ADAPTERS = (
    Adapter(
        id="calin-chirpstack",
        aliases=("calin-lorawan",),
        port="metering.deviceAdapters",
        needs={
            **_in(
                "AJ",
                "CHIRPSTACK_API_URL",
                "CHIRPSTACK_API_TOKEN",
                "CHIRPSTACK_APPLICATION_ID",
                "CHIRPSTACK_PROFILE_ID",
                "CHIRPSTACK_APP_KEY",
            ),
            **_in("T", "CHIRPSTACK_API_URL", "CHIRPSTACK_API_TOKEN"),
        },
        options=("CHIRPSTACK_TENANT_ID", "CHIRPSTACK_API_TLS", "CHIRPSTACK_INGRESS_KEY"),
    ),
    Adapter(
        id="calin-api-v1",
        aliases=("calin-v1",),
        port="metering.deviceAdapters",
        needs={
            **_in("AJ", *_CALIN_V1_ALL),
            # The password of the maintenance user goes by either name here; see ALTERNATIVES (R32).
            **_in("T", "CALIN_V1_API", "CALIN_V1_COMPANY_NAME", "CALIN_V1_MAINTENANCE_USERNAME", "CALIN_V1_PASSWORD"),
        },
        options=("CALIN_SIMULATOR_API", "CALIN_V1_MAINTENANCE_PASSWORD"),
    ),
    Adapter(
        id="calin-api-v2",
        aliases=("calin-v2",),
        port="metering.deviceAdapters",
        needs={**_in("AJ", *_CALIN_V2_ALL), **_in("PT", *_CALIN_V2_COMMON)},
        options=("CALIN_V2_CUSTOMER_NAME",),
    ),
    Adapter(id="stub-push", port="metering.deviceAdapters", production=False),
    Adapter(id="stub-pull", port="metering.deviceAdapters", production=False),
)

TOKEN_VENDORS = (
    Adapter(id="native", port="metering.tokenVendors"),
    Adapter(
        id="nxt-sts",
        port="metering.tokenVendors",
        needs=_in("AJ", "STS_GENERATOR_API"),
        options=("STS_GENERATOR_API_KEY",),
    ),
    Adapter(
        id="calin-api-v1",
        aliases=("calin-v1",),
        port="metering.tokenVendors",
        needs=_in("AJ", *_CALIN_V1_ALL),
    ),
    Adapter(
        id="calin-api-v2",
        aliases=("calin-v2",),
        port="metering.tokenVendors",
        needs=_in("AJ", *_CALIN_V2_ALL),
    ),
    Adapter(id="test", port="metering.tokenVendors", production=False),
)

_PORTAL = ("CALIN_V1_URL", "CALIN_V1_COMPANY_NAME", "CALIN_V1_USERNAME", "CALIN_V1_PASSWORD")
_FLUTTERWAVE = ("FLW_API", "FLW_PUBLIC_KEY", "FLW_SECRET_KEY")
_PAYSTACK = ("PAYSTACK_API", "PAYSTACK_PUBLIC_KEY", "PAYSTACK_SECRET_KEY")

SERVICES = (
    Adapter(
        id="calin-v1-portal",
        port="metering.portalProvisioning",
        needs=_in("P", *_PORTAL),
        options=("CALIN_V1_ADAPTER", "CAPTCHA_SOLVER", "HEADLESS_CHROME", "CONCURRENT_SESSIONS", "SLEEP_UNIT"),
    ),
    Adapter(id="africastalking", port="metering.ussd", options=("AFRICASTALKING_WEBHOOK_SECRET",)),
    Adapter(
        id="flutterwave",
        port="payments.providers",
        needs=_in("AJ", *_FLUTTERWAVE),
        options=("FLW_WEBHOOK_SECRET",),
    ),
    Adapter(id="paystack", port="payments.providers", needs=_in("AJ", *_PAYSTACK)),
    Adapter(
        id="exchangeratesapi",
        port="payments.exchangeRates",
        needs=_in("T", "EXCHANGE_RATES_API_URL", "EXCHANGE_RATES_API_KEY"),
    ),
    Adapter(
        id="victron",
        port="production.energyMonitoring",
        needs=_in("AJT", "VICTRON_API_URL", "VICTRON_USERNAME", "VICTRON_PASSWORD"),
        options=("VICTRON_API_TOKEN", "VICTRON_MQTT_URL", "VICTRON_MQTT_PORT", "VICTRON_MQTT_CA_FILE"),
    ),
    Adapter(id="solcast", port="production.forecast", needs=_in("T", "SOLCAST_API_URL", "SOLCAST_API_TOKEN")),
    Adapter(
        id="zerotier",
        port="production.routerMonitoring",
        needs=_in("T", "ZEROTIER_API", "ZEROTIER_TOKEN", "ZEROTIER_NETWORK"),
    ),
    Adapter(
        id="email-sendgrid",
        port="notifications.channels",
        needs=_in("J", "SENDGRID_API_KEY"),
        options=("SENDGRID_WEBHOOK_PUBLIC_KEY", "SENDGRID_API_URL"),
    ),
    Adapter(
        id="sms-africastalking",
        port="notifications.channels",
        needs=_in("J", "AFRICASTALKING_API_KEY", "AFRICASTALKING_USERNAME", "AFRICASTALKING_SENDER_ID"),
        options=("AFRICASTALKING_WEBHOOK_SECRET", "AFRICASTALKING_API_URL"),
    ),
    Adapter(
        id="telegram-make",
        port="notifications.channels",
        needs=_in("J", "MAKE_API_URL", "MAKE_API_TOKEN", "MAKE_API_TELEGRAM_NOTIFICATION_WEBHOOK_ID"),
    ),
    Adapter(
        id="telegram-flowxo",
        port="notifications.channels",
        needs=_in(
            "J",
            "FLOW_XO_API",
            "FLOW_XO_REVENUE_NOTIFICATION_WEBHOOK_ID",
            "FLOW_XO_REVENUE_NOTIFICATION_RESPONSE_PATH",
        ),
    ),
    Adapter(id="epicollect", port="fieldOperations.surveys", needs=_in("J", "EPICOLLECT_API")),
    Adapter(
        id="make-google-drive",
        port="fieldOperations.documents",
        needs={
            **_in(
                "J",
                "MAKE_API_URL",
                "MAKE_CREATE_FOLDER_FLOW_ID",
                "MAKE_TEMPLATE_FLOW_ID",
                "MAKE_UPLOAD_FLOW_ID",
                "MAKE_SHARE_FILE_FLOW_ID",
                "MAKE_PD_HERO_FOLDER_PATH",
            ),
            **_in("A", "MAKE_API_URL", "MAKE_UPLOAD_FLOW_ID"),
        },
    ),
    Adapter(
        id="jira",
        port="fieldOperations.issueTracker",
        needs=_in("AJ", "JIRA_API", "JIRA_SERVICE_DESK_API", "JIRA_API_USERNAME", "JIRA_API_KEY"),
        options=("JIRA_ISSUE_CREATION_ENABLED",),
    ),
    Adapter(id="bundled", port="automation.solver"),
    Adapter(
        id="object-store",
        port="automation.solver",
        needs=_in(
            "AJ",
            "AUTOPILOT_S3_FILENAME",
            "AUTOPILOT_S3_REGION",
            "AUTOPILOT_S3_ENDPOINT",
            "AUTOPILOT_S3_ACCESS_KEY_ID",
            "AUTOPILOT_S3_ACCESS_KEY_SECRET",
        ),
    ),
)

ADAPTERS: tuple[Adapter, ...] = (*DEVICE_ADAPTERS, *TOKEN_VENDORS, *SERVICES)

INTEGRATIONS: tuple[Integration, ...] = (
    Integration(id="loki", needs=_in("*", "LOKI_URL", "LOKI_APP_NAME")),
    Integration(id="sentry", needs=_in("*", "SENTRY_DSN")),
    Integration(id="grafana", needs=_in("A", "PRIVATE_KEY", "NXT_JWT_DURATION")),
    Integration(
        id="telegramTopups",
        needs=_in("AJ", "FLOW_XO_API", "FLOW_XO_TOPUP_TOKEN_ENDPOINT", "FLOW_XO_TOKEN_RESPONSE_PATH"),
    ),
    Integration(id="softwareAlerts", needs=_in("*", "MAKE_API_URL", "MAKE_API_SOFTWARE_DEV_ALERT_ID")),
    Integration(
        id="accountingExport",
        needs={
            **_in("A", "MAKE_API_URL", "MAKE_API_TOKEN", "MAKE_API_PAYOUT_FLOW_DRAFT_ID"),
            **_in(
                "J",
                "MAKE_API_URL",
                "MAKE_API_TOKEN",
                "MAKE_API_PAYOUT_FLOW_DRAFT_ID",
                "MAKE_API_XERO_AUTO_PAYOUT_FLOW_ID",
            ),
        },
    ),
    Integration(id="revenueReports"),
)

ALTERNATIVES: Mapping[Role, Mapping[str, tuple[str, ...]]] = {
    Role.TELEMETRY: {"CALIN_V1_PASSWORD": ("CALIN_V1_MAINTENANCE_PASSWORD",)},
}
"""Names of which one suffices in a role, though other roles tell them apart (R32)."""


def adapters_of(port: str) -> tuple[Adapter, ...]:
    """Adapters that fit a port; the token generator takes those of ``tokenVendors`` (R29)."""
    wanted = "metering.tokenVendors" if port == "metering.tokenGenerator" else port
    return tuple(adapter for adapter in ADAPTERS if adapter.port == wanted)


def known_ids(port: str) -> tuple[str, ...]:
    """Ids and aliases that a port understands."""
    return tuple(itertools.chain.from_iterable((a.id, *a.aliases) for a in adapters_of(port)))


def find(port: str, provider: str) -> Adapter | None:
    """The adapter of a port under its id or an alias."""
    return next((a for a in adapters_of(port) if provider == a.id or provider in a.aliases), None)
