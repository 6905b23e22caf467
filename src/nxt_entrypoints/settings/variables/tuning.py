"""Optional variables that tune what companion documents describe; an unset one takes its default [API-204]."""

from __future__ import annotations

from nxt_entrypoints.settings.kinds import Choice, Flag, Integer, Integers, Names, Number, Text
from nxt_entrypoints.settings.variables.model import Need, Variable, variable

_OPT = Need.OPTIONAL
_SECONDS = Integer(1, 31_536_000)

METERING = (
    variable("TOKEN_FALLBACK_AFTER_S", "AJ", _OPT, "token by SMS after, s", _SECONDS, default="900"),
    variable("METER_READ_TTL_S", "AJ", _OPT, "life of a read, s", _SECONDS, default="1800"),
    variable("MAX_METERS_PER_DCU", "AJ", _OPT, "meters of one gateway", Integer(1, 100_000), default="200"),
    variable("RECONCILER_MIN_DRIFT_S", "AJ", _OPT, "age of a drift before it is corrected, s", _SECONDS, default="600"),
    variable("RECONCILER_COOL_OFF_S", "AJ", _OPT, "wait after giving up, s", _SECONDS, default="3600"),
    variable("RECONCILER_MAX_ATTEMPTS", "AJ", _OPT, "corrections of one drift", Integer(1, 100), default="5"),
    variable("RECONCILER_GRID_BUDGET", "AJ", _OPT, "open corrections of one grid", Integer(1, 10_000), default="20"),
    variable(
        "RECONCILER_CIRCUIT_PCT",
        "AJ",
        _OPT,
        "drifting share of a grid that stops corrections, %",
        Integer(1, 100),
        default="30",
    ),
    variable("METERING_SCOPING", "A", _OPT, "organization scoping", Choice(("enforce", "log")), default="enforce"),
    variable(
        "METER_NUMBER_CHECK", "AP", _OPT, "check of meter numbers", Choice(("strict", "warn", "off")), default="strict"
    ),
    variable(
        "CALIN_METER_PREFIXES", "AP", _OPT, "usual prefixes of meter numbers", Names(), default="47001,47003,47300"
    ),
    variable("PROVISIONING_LABEL", "P", _OPT, "label of what provisioning makes", default="via provisioning"),
    variable("READ_REPORT_RETENTION_DAYS", "J", _OPT, "age of reports to delete, days", Integer(1, 3650), default="90"),
)

MONEY = (
    variable("FLW_CREDENTIALS_TTL_S", "AJ", _OPT, "cache of merchant keys, s", Integer(0, 86_400), default="300"),
    variable("FLW_USSD_FALLBACK_EMAIL", "AJ", _OPT, "mail sent with USSD charges", default="info@nxtgrid.co"),
    variable("PUBLIC_ORDER_STRICT", "A", _OPT, "public routes by id want the reference too", Flag(), default="false"),
)

NOTIFICATIONS = (
    variable("SMS_BRAND_PREFIX", "J", _OPT, "put before every SMS", Text(keep_blanks=True), default="[NXT Grid] "),
    variable("SENDGRID_FROM_NAME", "J", _OPT, "name of the sender", default="NXT Grid"),
    variable(
        "SENDGRID_TEMPLATE_GRID_REVENUE",
        "J",
        _OPT,
        "template of revenue reports",
        default="d-68f636c970444e2f965f637bf01b1f29",
    ),
    variable(
        "SENDGRID_TEMPLATE_PAYOUT_REPORT",
        "J",
        _OPT,
        "template of payout reports",
        default="d-362f2cc6d3484da180724238b7b14fb1",
    ),
)

PLANT = (
    variable("ROUTER_DESCRIPTION_SUFFIX", "T", _OPT, "domain suffix that marks a router", default="grids.nxtgrid.co"),
    variable("VRM_REQUESTS_PER_SECOND", "AJT", _OPT, "VRM budget of all roles", Number(0.01, 100), default="1"),
    variable("METER_MAX_PLAUSIBLE_KW_SINGLE_PHASE", "T", _OPT, "outlier limit, kW", Number(0.1, 10_000), default="20"),
    variable("METER_MAX_PLAUSIBLE_KW_THREE_PHASE", "T", _OPT, "outlier limit, kW", Number(0.1, 10_000), default="60"),
    variable("GRID_DIAGNOSTIC_ISSUES_ENABLED", "T", _OPT, "plant alarms become issues", Flag(), default="false"),
    variable("TELEMETRY_RETENTION_ENABLED", "T", _OPT, "old series are dropped", Flag(), default="false"),
    variable(
        "BATTERY_CAPACITY_SYNC_EXCLUDED_GRID_IDS", "T", _OPT, "grids without capacity sync", Integers(), default=""
    ),
    variable(
        "SOLCAST_DAILY_REQUEST_QUOTA", "T", _OPT, "requests a day, 0 = no limit", Integer(0, 1_000_000), default="0"
    ),
    variable("BATTERY_TREND_GRID_NAMES", "J", _OPT, "grids with battery advice", Names(), default=""),
    variable("AUTOPILOT_STEP_FACTOR", "A", _OPT, "step of the simulation", Number(0.01, 10), default="1.0"),
)

FIELDWORK = (
    variable("JIRA_ISSUE_CREATION_ENABLED", "AJ", _OPT, "issues become tickets", Flag(), default="false"),
    variable(
        "EPICOLLECT_MAX_ORGANIZATIONS_PER_RUN",
        "J",
        _OPT,
        "organizations of one survey run",
        Integer(1, 1000),
        default="9",
    ),
)

TUNING: tuple[Variable, ...] = (*METERING, *MONEY, *NOTIFICATIONS, *PLANT, *FIELDWORK)
