"""Variables of the process itself: source, roles, stores, identity and calls between roles [API-204]."""

from __future__ import annotations

from nxt_entrypoints.settings.kinds import (
    PORT,
    DataKeys,
    Duration,
    Flag,
    Host,
    Integer,
    Pem,
    Text,
    Url,
)
from nxt_entrypoints.settings.variables.model import Need, Variable, variable

_BASE, _SPLIT, _TIER = Need.BASE, Need.SPLIT, Need.TIER
_OPT, _IGNORED, _MIGRATION = Need.OPTIONAL, Need.IGNORED, Need.MIGRATION

_POSTGRES = Url(("postgresql", "postgres"))
_REDIS = Url(("redis", "rediss"))

SOURCE = (
    variable("NXT_CONFIG_JSON", "*", _OPT, "the artifact itself, as JSON"),
    variable("NXT_CONFIG_URL", "*", _OPT, "address of the artifact", Url()),
    variable("NXT_CONFIG_PATH", "*", _OPT, "file that holds the artifact"),
    variable("IS_HIBERNATED", "*", _OPT, "true: idle, operational endpoints only", Text(), default="false"),
    variable("NXT_ENV", "*", _BASE, "environment name: production, staging, development"),
    variable("NXT_HOST", "*", _OPT, "address to listen on", Host(), default="0.0.0.0"),  # noqa: S104 - R31
)

PORTS = (
    variable("NXT_PORT", "AJT", _BASE, "port of the first role", PORT),
    variable("PORT", "P", _OPT, "port of the provisioning role when it is first", PORT, default="3000"),
    variable("NXT_PORT_API", "*", _OPT, "port of the API role when it is not first", PORT),
    variable("NXT_PORT_PROVISIONING", "*", _OPT, "port of the provisioning role when it is not first", PORT),
    variable("NXT_PORT_JOBS", "*", _OPT, "port of the jobs role when it is not first", PORT),
    variable("NXT_PORT_TELEMETRY", "*", _OPT, "port of the telemetry role when it is not first", PORT),
)


def _database(prefix: str, letters: str, url: str, what: str) -> tuple[Variable, ...]:
    instead = (url,)
    return (
        variable(url, letters, _OPT, f"{what}, as one URL in place of its parts", _POSTGRES, secret=True),
        variable(f"{prefix}_HOST", letters, _BASE, f"{what}: host", Host(), instead=instead),
        variable(f"{prefix}_PORT", letters, _BASE, f"{what}: port", PORT, instead=instead),
        variable(f"{prefix}_USERNAME", letters, _BASE, f"{what}: user", instead=instead),
        variable(f"{prefix}_PASSWORD", letters, _BASE, f"{what}: password", secret=True, instead=instead),
        variable(f"{prefix}_NAME", letters, _BASE, f"{what}: database", instead=instead),
    )


STORES = (
    *_database("NXT_DB", "*", "NXT_DB_URL", "primary PostgreSQL"),
    *_database("NXT_TIMESCALE_DB", "AJT", "NXT_TIMESCALE_DB_URL", "time-series database"),
    variable("DATABASE_URL", "*", _MIGRATION, "host for migrations (a host name, no URL)", Host()),
    variable("DATABASE_PORT", "*", _MIGRATION, "port for migrations", PORT),
    variable("DATABASE_USERNAME", "*", _MIGRATION, "owner that runs migrations"),
    variable("DATABASE_PASSWORD", "*", _MIGRATION, "its password", secret=True),
    variable("DATABASE_DB_NAME", "*", _MIGRATION, "database to migrate"),
    variable("HERMES_URL", "*", _OPT, "Valkey/Redis, as one URL in place of its parts", _REDIS, secret=True),
    variable("HERMES_HOST", "*", _BASE, "Valkey/Redis: host", Host(), instead=("HERMES_URL",)),
    variable("HERMES_PORT", "*", _BASE, "Valkey/Redis: port", PORT, instead=("HERMES_URL",)),
    variable("HERMES_USERNAME", "*", _BASE, "Valkey/Redis: user", instead=("HERMES_URL",)),
    variable("HERMES_PASSWORD", "*", _BASE, "Valkey/Redis: password", secret=True, instead=("HERMES_URL",)),
    variable("HERMES_TLS", "*", _OPT, "false = no TLS to Valkey/Redis", Flag(), default="true"),
    variable("NXT_SECRETS_KEYS", "*", _TIER, "data keys of stored secrets", DataKeys(), secret=True),
)

IDENTITY = (
    variable("SUPABASE_API_URL", "*", _BASE, "base URL of the Supabase project", Url()),
    variable("SUPABASE_ANON_KEY", "A", _BASE, "sent as apikey with user tokens", secret=True),
    variable("SUPABASE_SERVICE_ROLE_KEY", "*", _BASE, "admin access to Auth and REST", secret=True),
    variable(
        "SUPABASE_JWT_SECRET",
        "A",
        _BASE,
        "verifies user tokens",
        secret=True,
        instead=("SUPABASE_JWKS_URL",),
    ),
    variable("NXT_SUPABASE_PORT", "*", _OPT, "`nxt up`: port of the sign-in service (default: a free one)", PORT),
    variable("SUPABASE_JWKS_URL", "A", _OPT, "address of the key set, in place of the project's own", Url()),
    variable("NXT_JWT_DURATION", "A", _TIER, "life of a charting token, such as 12h", Duration()),
    variable("PRIVATE_KEY", "A", _TIER, "signs charting tokens", Pem(), secret=True),
    variable("PUBLIC_KEY", "A", _IGNORED, "counterpart of PRIVATE_KEY, for the charting tool"),
)

CALLS = (
    variable(
        "INTERNAL_API_KEY",
        "*",
        _SPLIT,
        "key of calls into the provisioning, jobs and telemetry roles",
        aliases=("TALOS_API_KEY",),
        secret=True,
    ),
    variable("TALOS_API", "A", _SPLIT, "base URL of the provisioning role", Url()),
    variable("YETI_API", "A", _SPLIT, "base URL of the telemetry role", Url()),
    variable("LOCH_API", "A", _SPLIT, "base URL of the jobs role", Url()),
    variable("TIAMAT_API", "PJT", _SPLIT, "base URL of the API role", Url()),
    variable("TIAMAT_API_KEY", "PJT", _SPLIT, "API key of calls into the API role", secret=True),
)

MESSAGING = (
    variable("DEVICE_MESSAGING_URL", "AJ", _OPT, "stand-alone messaging: its base URL; unset: it is embedded", Url()),
    variable("DEVICE_MESSAGING_API_KEY", "AJ", _OPT, "stand-alone messaging: key of its command routes", secret=True),
    variable("DEVICE_MESSAGING_WEBHOOK_SECRET", "A", _OPT, "stand-alone messaging: signs its events", secret=True),
    variable("DEVICE_MESSAGING_DATABASE_URL", "", _OPT, "`nxt messaging`: its database", _POSTGRES, secret=True),
    variable("DEVICE_MESSAGING_CONFIG_JSON", "", _OPT, "`nxt messaging`: its document, as JSON"),
    variable("DEVICE_MESSAGING_CONFIG_URL", "", _OPT, "`nxt messaging`: address of its document", Url()),
    variable("DEVICE_MESSAGING_CONFIG_PATH", "", _OPT, "`nxt messaging`: file that holds its document"),
)

OVERRIDES = (
    variable(
        "PLATFORM_ORGANIZATION_ID",
        "*",
        _OPT,
        "overrides deployment.adminOrganizationId",
        Integer(minimum=1),
        aliases=("NXT_ORG_ID",),
    ),
    variable("BANKING_SYSTEM_WALLET_ID", "*", _OPT, "overrides deployment.systemWalletId", Integer(minimum=1)),
    variable("AYRTON_URL", "*", _OPT, "overrides deployment.frontendBaseUrl", Url()),
    variable("SITE_SUBMISSION_EMAIL", "*", _OPT, "overrides deployment.contacts.siteSubmissions"),
    variable("SENDGRID_FROM_EMAIL", "*", _OPT, "overrides deployment.contacts.mailFrom"),
    variable("JOBS_ENABLED", "*", _OPT, "overrides jobs.enabled", Flag()),
    variable("LOST_REVENUE_PUBLIC", "*", _OPT, "true: GET /lost-revenue/{id} needs no credential", Flag()),
)

PROCESS: tuple[Variable, ...] = (*SOURCE, *PORTS, *STORES, *IDENTITY, *CALLS, *MESSAGING, *OVERRIDES)
