"""Variables of adapters and integrations: who they are for is declared in ``adapters.py`` [API-195, API-196]."""

from __future__ import annotations

from nxt_entrypoints.settings.kinds import (
    PORT,
    Base64Text,
    Choice,
    Flag,
    HostPort,
    Integer,
    Url,
)
from nxt_entrypoints.settings.variables.model import Need, Variable, variable

_TIER, _OPT, _IGNORED = Need.TIER, Need.OPTIONAL, Need.IGNORED

MONEY = (
    variable("FLW_API", "AJ", _TIER, "payment gateway: base URL", Url()),
    variable("FLW_PUBLIC_KEY", "AJ", _TIER, "payment gateway: public key of the platform's account"),
    variable("FLW_SECRET_KEY", "AJ", _TIER, "payment gateway: secret key of the platform's account", secret=True),
    variable("FLW_WEBHOOK_SECRET", "A", _OPT, "payment gateway: secret hash of its webhook", secret=True),
    variable("PAYSTACK_API", "AJ", _TIER, "Paystack: base URL", Url()),
    variable("PAYSTACK_PUBLIC_KEY", "AJ", _TIER, "Paystack: public key of the platform's account"),
    variable("PAYSTACK_SECRET_KEY", "AJ", _TIER, "Paystack: secret key; signs its webhooks, too", secret=True),
    variable("EXCHANGE_RATES_API_URL", "T", _TIER, "exchange rates: base URL", Url()),
    variable("EXCHANGE_RATES_API_KEY", "T", _TIER, "exchange rates: key", secret=True),
)

CALIN_V1 = (
    variable("CALIN_V1_API", "AJT", _TIER, "CALIN V1: base URL", Url(), aliases=("CALIN_API_V1_URL",)),
    variable("CALIN_V1_COMPANY_NAME", "APJT", _TIER, "CALIN V1: company", aliases=("CALIN_API_V1_COMPANY_NAME",)),
    *(
        item
        for user, use in (("ADMIN", "tasks"), ("POS", "top-up tokens"), ("MAINTENANCE", "other tokens"))
        for item in (
            variable(
                f"CALIN_V1_{user}_USERNAME",
                "AJT",
                _TIER,
                f"CALIN V1: user for {use}",
                aliases=(f"CALIN_API_V1_{user}_USERNAME",),
            ),
            variable(
                f"CALIN_V1_{user}_PASSWORD",
                "AJT",
                _TIER,
                f"CALIN V1: password for {use}",
                aliases=(f"CALIN_API_V1_{user}_PASSWORD",),
                secret=True,
            ),
        )
    ),
    variable("CALIN_V1_URL", "P", _TIER, "CALIN V1 portal: base URL", Url()),
    variable("CALIN_V1_USERNAME", "P", _TIER, "CALIN V1 portal: user"),
    variable("CALIN_V1_PASSWORD", "PT", _TIER, "CALIN V1: portal (P) or maintenance (T) password", secret=True),
    variable("CALIN_SIMULATOR_API", "AJT", _OPT, "CALIN V1: stands in for simulated meters", Url()),
    variable(
        "CALIN_V1_ADAPTER",
        "P",
        _OPT,
        "CALIN V1 portal: how it is driven",
        Choice(("http-session", "browser", "manual")),
        default="http-session",
    ),
    variable("CALIN_V1_PORTAL_PROFILE", "P", _OPT, "CALIN V1 portal: file with the stored profile"),
    variable("CALIN_V1_CUSTOMER_NO", "P", _OPT, "CALIN V1 portal: customer number (default: first row)"),
    variable("CALIN_V1_PRICE_ID", "P", _OPT, "CALIN V1 portal: price id (default: first row)"),
    variable("CALIN_V1_MAX_PARALLEL", "P", _OPT, "CALIN V1 portal: jobs at once", Integer(1, 100), default="2"),
    variable("CAPTCHA_SOLVER", "P", _OPT, "who reads captchas", Choice(("human", "http")), default="human"),
    variable("CAPTCHA_API", "P", _TIER, "captcha solver: base URL", Url()),
    variable("CAPTCHA_API_KEY", "P", _TIER, "captcha solver: key", secret=True),
    variable("HEADLESS_CHROME", "P", _OPT, "false shows the browser", Flag(), default="true"),
    variable("CONCURRENT_SESSIONS", "P", _OPT, "registration jobs at once", Integer(1, 1000), default="10"),
    variable("SLEEP_UNIT", "P", _OPT, "browser steps: unit of waiting, ms", Integer(0, 600000)),
    variable("UPLOAD_FOLDER", "P", _OPT, "folder of artifacts of registration", default="/var/tmp"),  # noqa: S108 - API-204
)

CALIN_V2 = (
    variable("CALIN_V2_API", "APJT", _TIER, "CALIN V2: base URL", Url(), aliases=("CALIN_API_V2_URL",)),
    variable("CALIN_V2_COMPANY_NAME", "APJT", _TIER, "CALIN V2: company", aliases=("CALIN_API_V2_COMPANY_NAME",)),
    variable("CALIN_V2_ADMIN_USERNAME", "APJT", _TIER, "CALIN V2: user", aliases=("CALIN_API_V2_ADMIN_USERNAME",)),
    variable(
        "CALIN_V2_PASSWORD",
        "APJT",
        _TIER,
        "CALIN V2: password",
        aliases=("CALIN_API_V2_ADMIN_PASSWORD",),
        secret=True,
    ),
    variable(
        "CALIN_V2_POS_PASSWORD",
        "AJ",
        _TIER,
        "CALIN V2: password for top-up tokens",
        aliases=("CALIN_API_V2_POS_PASSWORD",),
        secret=True,
    ),
    variable(
        "CALIN_V2_CUSTOMER_ID",
        "APJT",
        _TIER,
        "CALIN V2: customer id",
        aliases=("CALIN_API_V2_CUSTOMER_ID",),
    ),
    variable("CALIN_V2_CUSTOMER_NAME", "APT", _IGNORED, "CALIN V2: customer name"),
    variable("CALIN_V2_METER_PASSWORD", "P", _OPT, "CALIN V2: password of meters", secret=True),
    variable("CALIN_V2_REGION", "P", _OPT, "CALIN V2: region of new meters", default="Nigeria"),
    variable("CALIN_V2_TARIFF_ID", "P", _OPT, "CALIN V2: tariff of new meters", default="1"),
)

METERING = (
    *CALIN_V1,
    *CALIN_V2,
    variable("STS_GENERATOR_API", "AJ", _TIER, "token generator: base URL", Url(), aliases=("NXT_STS_URL",)),
    variable("STS_GENERATOR_API_KEY", "AJ", _OPT, "token generator: key", secret=True),
    variable("CHIRPSTACK_API_URL", "AJT", _TIER, "ChirpStack gRPC address", HostPort()),
    variable("CHIRPSTACK_API_TOKEN", "AJT", _TIER, "ChirpStack API token", secret=True),
    variable("CHIRPSTACK_APPLICATION_ID", "AJ", _TIER, "ChirpStack application of meters"),
    variable("CHIRPSTACK_PROFILE_ID", "AJ", _TIER, "ChirpStack device profile of meters"),
    variable("CHIRPSTACK_APP_KEY", "AJ", _TIER, "LoRaWAN application key of meters", secret=True),
    variable("CHIRPSTACK_TENANT_ID", "APT", _IGNORED, "ChirpStack tenant"),
    variable("CHIRPSTACK_API_TLS", "AJT", _OPT, "TLS to ChirpStack", Flag(), default="false"),
    variable("CHIRPSTACK_INGRESS_KEY", "A", _OPT, "key that ChirpStack sends with events", secret=True),
)

PRODUCTION = (
    variable("VICTRON_API_URL", "AJT", _TIER, "VRM: base URL", Url()),
    variable("VICTRON_USERNAME", "AJT", _TIER, "VRM: account, for REST and MQTT"),
    variable("VICTRON_PASSWORD", "AJT", _TIER, "VRM: password", secret=True),
    variable("VICTRON_API_TOKEN", "AJT", _OPT, "VRM: personal access token", secret=True),
    variable(
        "VICTRON_MQTT_URL",
        "JT",
        _OPT,
        "VRM: MQTT address, {n} being the shard; mqtt:// outside production only",
        Url(("mqtts", "mqtt")),
        default="mqtts://mqtt{n}.victronenergy.com:443",
    ),
    variable("VICTRON_MQTT_PORT", "JT", _OPT, "VRM: MQTT port of the default address", PORT, default="443"),
    variable("VICTRON_MQTT_CA_FILE", "JT", _OPT, "VRM: file with one more trust anchor"),
    variable("SOLCAST_API_URL", "T", _TIER, "Solcast: base URL", Url()),
    variable("SOLCAST_API_TOKEN", "T", _TIER, "Solcast: bearer token", secret=True),
    variable("ZEROTIER_API", "T", _TIER, "ZeroTier Central: base URL", Url()),
    variable("ZEROTIER_TOKEN", "T", _TIER, "ZeroTier Central: token", secret=True),
    variable("ZEROTIER_NETWORK", "T", _TIER, "ZeroTier network of routers"),
)

NOTIFICATIONS = (
    variable("SENDGRID_API_KEY", "J", _TIER, "mail: key", secret=True),
    variable("SENDGRID_API_URL", "J", _OPT, "mail: base URL", Url(), default="https://api.sendgrid.com"),
    variable("SENDGRID_WEBHOOK_PUBLIC_KEY", "A", _OPT, "mail: verifies callbacks", Base64Text()),
    variable("AFRICASTALKING_API_KEY", "J", _TIER, "SMS: key", secret=True),
    variable("AFRICASTALKING_USERNAME", "J", _TIER, "SMS: user"),
    variable("AFRICASTALKING_SENDER_ID", "J", _TIER, "SMS: sender"),
    variable("AFRICASTALKING_API_URL", "J", _OPT, "SMS: base URL (default: the vendor's, by user name)", Url()),
    variable("AFRICASTALKING_SHORTCODE", "J", _IGNORED, "SMS: short code"),
    variable("AFRICASTALKING_WEBHOOK_SECRET", "A", _OPT, "SMS and USSD: secret of callbacks", secret=True),
    variable("FLOW_XO_API", "AJ", _TIER, "chat bot: host", Url()),
    variable("FLOW_XO_TOPUP_TOKEN_ENDPOINT", "AJ", _TIER, "chat bot: path of top-up notices"),
    variable("FLOW_XO_TOKEN_RESPONSE_PATH", "AJ", _TIER, "chat bot: response path of top-up notices"),
    variable("FLOW_XO_REVENUE_NOTIFICATION_WEBHOOK_ID", "J", _TIER, "chat bot: hook of revenue notices"),
    variable("FLOW_XO_REVENUE_NOTIFICATION_RESPONSE_PATH", "J", _TIER, "chat bot: path of revenue notices"),
)

AUTOMATION_PLATFORM = (
    variable("MAKE_API_URL", "APJT", _TIER, "automation platform: base URL of hooks", Url()),
    variable("MAKE_API_TOKEN", "AJ", _TIER, "automation platform: key", secret=True),
    variable("MAKE_API_PAYOUT_FLOW_DRAFT_ID", "AJ", _TIER, "hook: payout drafts"),
    variable("MAKE_API_XERO_AUTO_PAYOUT_FLOW_ID", "J", _TIER, "hook: bookkeeping"),
    variable("MAKE_API_TELEGRAM_NOTIFICATION_WEBHOOK_ID", "J", _TIER, "hook: chat notices"),
    variable("MAKE_API_SOFTWARE_DEV_ALERT_ID", "*", _TIER, "hook: alerts to operators"),
    variable("MAKE_CREATE_FOLDER_FLOW_ID", "J", _TIER, "hook: make a folder"),
    variable("MAKE_TEMPLATE_FLOW_ID", "J", _TIER, "hook: fill a template"),
    variable("MAKE_SHARE_FILE_FLOW_ID", "J", _TIER, "hook: share a file"),
    variable("MAKE_UPLOAD_FLOW_ID", "AJ", _TIER, "hook: upload a document"),
    variable("MAKE_PD_HERO_FOLDER_PATH", "J", _TIER, "root folder of documents"),
    variable(
        "MAKE_GRID_STATE_WEBHOOK_URL",
        "J",
        _OPT,
        "full address for grid changes",
        Url(),
        aliases=("GRID_EVENTS_WEBHOOK_URL",),
        secret=True,
    ),
)

OTHERS = (
    variable("EPICOLLECT_API", "J", _TIER, "surveys: base URL", Url()),
    variable("JIRA_API", "AJ", _TIER, "tracker: base URL", Url()),
    variable("JIRA_SERVICE_DESK_API", "AJ", _TIER, "tracker: service desk URL", Url()),
    variable("JIRA_API_USERNAME", "AJ", _TIER, "tracker: user"),
    variable("JIRA_API_KEY", "AJ", _TIER, "tracker: key", secret=True),
    variable("AUTOPILOT_S3_FILENAME", "AJ", _TIER, "solver source: object"),
    variable("AUTOPILOT_S3_REGION", "AJ", _TIER, "solver source: region"),
    variable("AUTOPILOT_S3_ENDPOINT", "AJ", _TIER, "solver source: endpoint", Url()),
    variable("AUTOPILOT_S3_ACCESS_KEY_ID", "AJ", _TIER, "solver source: key id"),
    variable("AUTOPILOT_S3_ACCESS_KEY_SECRET", "AJ", _TIER, "solver source: key", secret=True),
    variable("LOKI_URL", "*", _TIER, "log shipping: base URL", Url(), secret=True),
    variable("LOKI_APP_NAME", "*", _TIER, "log shipping: name of the application"),
    variable("SENTRY_DSN", "*", _TIER, "error reporting: address", Url(), secret=True),
    *(
        variable(name, "APJT", _IGNORED, meaning)
        for name, meaning in (
            ("AYRTON_ACCOUNT_CONFIRM_URL", "former link in mails"),
            ("AYRTON_PASSWORD_RESET_URL", "former link in mails"),
            ("MONGO_ATLAS_API", "former survey backup"),
            ("MONGO_ATLAS_API_KEY", "former survey backup"),
            ("S3_ENDPOINT", "former file store"),
            ("S3_KEY", "former file store"),
            ("S3_SECRET", "former file store"),
            ("S3_BUCKET", "former file store"),
            ("PHOENIX_HOST", "time-series connection of partner functions"),
            ("PHOENIX_PORT", "time-series connection of partner functions"),
            ("PHOENIX_DATABASE", "time-series connection of partner functions"),
            ("PHOENIX_USERNAME", "time-series connection of partner functions"),
            ("PHOENIX_PASSWORD", "time-series connection of partner functions"),
        )
    ),
)

VENDORS: tuple[Variable, ...] = (
    *MONEY,
    *METERING,
    *PRODUCTION,
    *NOTIFICATIONS,
    *AUTOMATION_PLATFORM,
    *OTHERS,
)
