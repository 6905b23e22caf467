"""The database's enumerations, word for word [REL-78, MET-10].

Types are made by migrations; values are only ever appended.
"""

from sqlalchemy.dialects.postgresql import ENUM


def _enum(name: str, *values: str) -> ENUM:
    return ENUM(*values, name=f"{name}_enum", create_type=False)


account_type = _enum("account_type", "AGENT", "MEMBER", "CUSTOMER")
communication_protocol = _enum("communication_protocol", "CALIN_V1", "CALIN_V2", "CALIN_LORAWAN")
currency = _enum("currency", "USD", "NGN", "EUR")
directive_special_status = _enum(
    "directive_special_status",
    "POWER_LIMIT_BREACHED",
    "CREDIT_EXHAUSTED",
    "REMOTE_SWITCHED_OFF",
    "OVER_VOLTAGE",
    "METER_NOT_ACTIVATED",
    "TAMPER",
    "LOW_VOLTAGE",
)
external_system = _enum(
    "external_system",
    "STEAMACO",
    "CALIN",
    "SOLCAST",
    "VICTRON",
    "FLUTTERWAVE",
    "AFRICASTALKING",
    "JOTFORM",
    "EPICOLLECT",
    "JIRA",
    "TELEGRAM",
    "ZEROTIER",
    "MAKE",
    "FLOW_XO",
    "SENDGRID",
    "ACREL",
)
fs_command_type = _enum("fs_command_type", "ON", "OFF")
gender = _enum("gender", "MALE", "FEMALE")
generator_type = _enum("generator_type", "SMALL", "LARGE")
id_document_type = _enum("id_document_type", "PASSPORT", "NATIONAL_ID", "DRIVING_LICENSE", "VOTERS_CARD")
issue_status = _enum("issue_status", "OPEN", "CLOSED", "OVERRIDDEN")
issue_type = _enum(
    "issue_type",
    "NO_COMMUNICATION",
    "METER_NOT_ACTIVATED",
    "TAMPER",
    "POWER_LIMIT_BREACHED",
    "OVER_VOLTAGE",
    "LOW_VOLTAGE",
    "POWER_LIMIT_BAD_CONFIGURATION",
    "METER_STATE_BAD_CONFIGURATION",
    "UNEXPECTED_POWER_LIMIT",
    "UNEXPECTED_METER_STATUS",
    "NO_CREDIT",
    "NO_CONSUMPTION",
    "NUMBER_OF_PHASES",
    "VEBUS_STATE",
    "VEBUS_ERROR",
    "QUATTRO_TEMPERATURE_ALARM",
    "QUATTRO_OVERLOAD_ALARM",
    "HIGH_BATTERY_TEMPERATURE_ALARM",
    "CELL_IMBALANCE_ALARM",
    "HIGH_CHARGE_CURRENT_ALARM",
    "HIGH_CHARGE_TEMPERATURE_ALARM",
    "BATTERY_INTERNAL_FAILURE",
    "BATTERY_CHARGE_BLOCKED_ALARM",
    "BATTERY_DISCHARGE_BLOCKED_ALARM",
)
member_type = _enum(
    "member_type",
    "SUPERADMIN",
    "ADMIN",
    "PARTNER",
    "FINANCE",
    "DEVELOPER",
    "MANAGER",
    "SUPPORT",
    "SERVICE",
    "SALES",
    "TECH",
)
meter_commissioning_status = _enum("meter_commissioning_status", "PENDING", "PROCESSING", "SUCCESSFUL", "FAILED")
meter_credit_transfer_status = _enum("meter_credit_transfer_status", "PENDING", "PROCESSING", "SUCCESSFUL", "FAILED")
meter_interaction_status = _enum(
    "meter_interaction_status", "QUEUED", "ABORTED", "PROCESSING", "SUCCESSFUL", "FAILED", "DEFERRED", "SUSPENDED"
)
meter_interaction_type = _enum(
    "meter_interaction_type",
    "READ_CREDIT",
    "READ_POWER_LIMIT",
    "READ_VOLTAGE",
    "SET_POWER_LIMIT",
    "TOP_UP",
    "TURN_ON",
    "TURN_OFF",
    "READ_POWER",
    "READ_CURRENT",
    "CLEAR_CREDIT",
    "CLEAR_TAMPER",
    "READ_REPORT",
    "JOIN_NETWORK",
    "DELIVER_PREEXISTING_TOKEN",
    "READ_VERSION",
    "READ_DATE",
    "SET_DATE",
    "READ_TIME",
    "SET_TIME",
)
meter_phase = _enum("meter_phase", "SINGLE_PHASE", "THREE_PHASE")
meter_type = _enum("meter_type", "HPS", "FS")
mhi_operation = _enum("mhi_operation", "ADD", "REMOVE")
mhi_status = _enum("mhi_status", "PENDING", "PROCESSING", "SUCCESSFUL", "FAILED")
mppt_type = _enum("mppt_type", "MPPT", "PV_INVERTER")
notification_status = _enum(
    "notification_status", "PENDING", "PROCESSING", "RECEIVED_BY_API", "FAILED", "SUCCESSFUL", "READ", "UNKNOWN"
)
notification_type = _enum(
    "notification_type",
    "GRID_IS_HPS_ON_STATE_CHANGE",
    "GRID_IS_FS_ON_STATE_CHANGE",
    "GRID_METERING_HARDWARE_STATE_CHANGE",
    "FS_RULE_EXECUTION_COMING_UP",
    "FS_RULE_CHANGED",
    "TARIFF_RULE_CHANGED",
    "CLEAN_PANELS_REMINDER",
    "GRID_REVENUE",
    "PASSWORD_RESET",
    "INVITE",
    "AUTO_PAYOUT_GENRATION_REPORT",
    "CREDIT_SENT",
    "CREDIT_RECEIVED",
    "METER_TOPPED_UP",
    "PAYMENT_REJECTED",
    "SITE_SUBMISSION",
)
order_actor_type = _enum(
    "order_actor_type", "BANKING_SYSTEM", "ORGANIZATION", "CONNECTION", "METER", "AGENT", "CUSTOMER"
)
order_status = _enum(
    "order_status", "INITIALISED", "PENDING", "COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT", "IGNORED"
)
order_type = _enum(
    "order_type",
    "ENERGY_TOPUP",
    "CONNECTION_PAYMENT",
    "CONNECTION_REFUND",
    "AGENT_WITHDRAWAL",
    "AGENT_TOPUP",
    "ORGANIZATION_TOPUP",
    "ORGANIZATION_WITHDRAWAL",
    "CUSTOMER_TOPUP",
)
organization_type = _enum("organization_type", "SOLAR_DEVELOPER", "LENDER", "DATA_AGGREGATOR")
payment_channel = _enum("payment_channel", "USSD", "AYRTON", "NIFFLER", "TELEGRAM")
payment_method = _enum("payment_method", "CREDIT_CARD", "USSD", "BANK_TRANSFER")
payout_status = _enum("payout_status", "INITIALISED", "WAITING_FOR_APPROVAL", "PROCESSING", "SUCCESSFUL", "FAILED")
pd_action_status = _enum(
    "pd_action_status", "GENERATING", "GENERATION_FAILED", "GENERATION_COMPLETED", "ACTIONABLE", "ACTION_COMPLETED"
)
pd_action_type = _enum("pd_action_type", "UPLOAD", "TEMPLATE", "EXTERNAL", "START", "END")
pd_document_type = _enum("pd_document_type", "GOOGLE_SHEETS", "GOOGLE_DOCS")
solcast_cache_request_type = _enum("solcast_cache_request_type", "ESTIMATED_ACTUALS", "FORECAST")
transaction_status = _enum("transaction_status", "SUCCESSFUL", "FAILED")
wallet_type = _enum("wallet_type", "VIRTUAL", "REAL")
weather_type = _enum("weather_type", "CLOUDY", "CLOUDS", "SHOWERS", "SUNNY", "UNKNOWN", "CLOUDY_WITH_RAIN")
interaction_resolution = _enum(
    "interaction_resolution",
    "DELIVERED",
    "VERIFIED",
    "REJECTED",
    "DELIVERY_FAILED",
    "TOKEN_FAILED",
    "UNSUPPORTED",
    "UNREACHABLE",
    "SUPERSEDED",
    "EXPIRED",
    "CANCELLED",
    "UNINSTALLED",
    "COMMISSIONING_FAILED",
)
shadow_attribute = _enum("shadow_attribute", "relay", "power_limit")
shadow_state = _enum(
    "shadow_state", "UNKNOWN", "IN_SYNC", "CONVERGING", "VERIFYING", "DRIFTED", "COOLING_OFF", "BLOCKED", "EXCUSED"
)
ledger_account_class = _enum(
    "ledger_account_class", "WALLET", "EXTERNAL", "SUSPENSE", "INCOME", "PAYABLE", "CLEARING", "EQUITY"
)
ledger_entry_type = _enum(
    "ledger_entry_type",
    "ORDER_SETTLEMENT",
    "ORDER_REVERSAL",
    "GATEWAY_SUSPENSE",
    "SUSPENSE_RESOLUTION",
    "PAYOUT_ACCRUAL",
    "PAYOUT_DISBURSEMENT",
    "OPENING_BALANCE",
    "ADJUSTMENT",
)
