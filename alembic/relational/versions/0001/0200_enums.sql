-- The enumerations, word for word [REL-78, MET-10].

create type public.account_type_enum as enum (
    'AGENT', 'MEMBER', 'CUSTOMER'
);

create type public.communication_protocol_enum as enum (
    'CALIN_V1', 'CALIN_V2', 'CALIN_LORAWAN'
);

create type public.currency_enum as enum (
    'USD', 'NGN', 'EUR'
);

create type public.directive_special_status_enum as enum (
    'POWER_LIMIT_BREACHED', 'CREDIT_EXHAUSTED', 'REMOTE_SWITCHED_OFF', 'OVER_VOLTAGE',
    'METER_NOT_ACTIVATED', 'TAMPER', 'LOW_VOLTAGE'
);

create type public.external_system_enum as enum (
    'STEAMACO', 'CALIN', 'SOLCAST', 'VICTRON', 'FLUTTERWAVE', 'AFRICASTALKING', 'JOTFORM', 'EPICOLLECT',
    'JIRA', 'TELEGRAM', 'ZEROTIER', 'MAKE', 'FLOW_XO', 'SENDGRID', 'ACREL'
);

create type public.fs_command_type_enum as enum (
    'ON', 'OFF'
);

create type public.gender_enum as enum (
    'MALE', 'FEMALE'
);

create type public.generator_type_enum as enum (
    'SMALL', 'LARGE'
);

create type public.id_document_type_enum as enum (
    'PASSPORT', 'NATIONAL_ID', 'DRIVING_LICENSE', 'VOTERS_CARD'
);

create type public.issue_status_enum as enum (
    'OPEN', 'CLOSED', 'OVERRIDDEN'
);

create type public.issue_type_enum as enum (
    'NO_COMMUNICATION', 'METER_NOT_ACTIVATED', 'TAMPER', 'POWER_LIMIT_BREACHED', 'OVER_VOLTAGE',
    'LOW_VOLTAGE', 'POWER_LIMIT_BAD_CONFIGURATION', 'METER_STATE_BAD_CONFIGURATION',
    'UNEXPECTED_POWER_LIMIT', 'UNEXPECTED_METER_STATUS', 'NO_CREDIT', 'NO_CONSUMPTION',
    'NUMBER_OF_PHASES', 'VEBUS_STATE', 'VEBUS_ERROR', 'QUATTRO_TEMPERATURE_ALARM',
    'QUATTRO_OVERLOAD_ALARM', 'HIGH_BATTERY_TEMPERATURE_ALARM', 'CELL_IMBALANCE_ALARM',
    'HIGH_CHARGE_CURRENT_ALARM', 'HIGH_CHARGE_TEMPERATURE_ALARM', 'BATTERY_INTERNAL_FAILURE',
    'BATTERY_CHARGE_BLOCKED_ALARM', 'BATTERY_DISCHARGE_BLOCKED_ALARM'
);

create type public.member_type_enum as enum (
    'SUPERADMIN', 'ADMIN', 'PARTNER', 'FINANCE', 'DEVELOPER', 'MANAGER', 'SUPPORT', 'SERVICE', 'SALES',
    'TECH'
);

create type public.meter_commissioning_status_enum as enum (
    'PENDING', 'PROCESSING', 'SUCCESSFUL', 'FAILED'
);

create type public.meter_credit_transfer_status_enum as enum (
    'PENDING', 'PROCESSING', 'SUCCESSFUL', 'FAILED'
);

create type public.meter_interaction_status_enum as enum (
    'QUEUED', 'ABORTED', 'PROCESSING', 'SUCCESSFUL', 'FAILED', 'DEFERRED', 'SUSPENDED'
);

create type public.meter_interaction_type_enum as enum (
    'READ_CREDIT', 'READ_POWER_LIMIT', 'READ_VOLTAGE', 'SET_POWER_LIMIT', 'TOP_UP', 'TURN_ON',
    'TURN_OFF', 'READ_POWER', 'READ_CURRENT', 'CLEAR_CREDIT', 'CLEAR_TAMPER', 'READ_REPORT',
    'JOIN_NETWORK', 'DELIVER_PREEXISTING_TOKEN', 'READ_VERSION', 'READ_DATE', 'SET_DATE', 'READ_TIME',
    'SET_TIME'
);

create type public.meter_phase_enum as enum (
    'SINGLE_PHASE', 'THREE_PHASE'
);

create type public.meter_type_enum as enum (
    'HPS', 'FS'
);

create type public.mhi_operation_enum as enum (
    'ADD', 'REMOVE'
);

create type public.mhi_status_enum as enum (
    'PENDING', 'PROCESSING', 'SUCCESSFUL', 'FAILED'
);

create type public.mppt_type_enum as enum (
    'MPPT', 'PV_INVERTER'
);

create type public.notification_status_enum as enum (
    'PENDING', 'PROCESSING', 'RECEIVED_BY_API', 'FAILED', 'SUCCESSFUL', 'READ', 'UNKNOWN'
);

create type public.notification_type_enum as enum (
    'GRID_IS_HPS_ON_STATE_CHANGE', 'GRID_IS_FS_ON_STATE_CHANGE', 'GRID_METERING_HARDWARE_STATE_CHANGE',
    'FS_RULE_EXECUTION_COMING_UP', 'FS_RULE_CHANGED', 'TARIFF_RULE_CHANGED', 'CLEAN_PANELS_REMINDER',
    'GRID_REVENUE', 'PASSWORD_RESET', 'INVITE', 'AUTO_PAYOUT_GENRATION_REPORT', 'CREDIT_SENT',
    'CREDIT_RECEIVED', 'METER_TOPPED_UP', 'PAYMENT_REJECTED', 'SITE_SUBMISSION'
);

create type public.order_actor_type_enum as enum (
    'BANKING_SYSTEM', 'ORGANIZATION', 'CONNECTION', 'METER', 'AGENT', 'CUSTOMER'
);

create type public.order_status_enum as enum (
    'INITIALISED', 'PENDING', 'COMPLETED', 'FAILED', 'CANCELLED', 'TIMED_OUT', 'IGNORED'
);

create type public.order_type_enum as enum (
    'ENERGY_TOPUP', 'CONNECTION_PAYMENT', 'CONNECTION_REFUND', 'AGENT_WITHDRAWAL', 'AGENT_TOPUP',
    'ORGANIZATION_TOPUP', 'ORGANIZATION_WITHDRAWAL', 'CUSTOMER_TOPUP'
);

create type public.organization_type_enum as enum (
    'SOLAR_DEVELOPER', 'LENDER', 'DATA_AGGREGATOR'
);

create type public.payment_channel_enum as enum (
    'USSD', 'AYRTON', 'NIFFLER', 'TELEGRAM'
);

create type public.payment_method_enum as enum (
    'CREDIT_CARD', 'USSD', 'BANK_TRANSFER'
);

create type public.payout_status_enum as enum (
    'INITIALISED', 'WAITING_FOR_APPROVAL', 'PROCESSING', 'SUCCESSFUL', 'FAILED'
);

create type public.transaction_status_enum as enum (
    'SUCCESSFUL', 'FAILED'
);

create type public.wallet_type_enum as enum (
    'VIRTUAL', 'REAL'
);

create type public.weather_type_enum as enum (
    'CLOUDY', 'CLOUDS', 'SHOWERS', 'SUNNY', 'UNKNOWN', 'CLOUDY_WITH_RAIN'
);

create type public.interaction_resolution_enum as enum (
    'DELIVERED', 'VERIFIED', 'REJECTED', 'DELIVERY_FAILED', 'TOKEN_FAILED', 'UNSUPPORTED', 'UNREACHABLE',
    'SUPERSEDED', 'EXPIRED', 'CANCELLED', 'UNINSTALLED', 'COMMISSIONING_FAILED'
);

create type public.shadow_attribute_enum as enum (
    'relay', 'power_limit'
);

create type public.shadow_state_enum as enum (
    'UNKNOWN', 'IN_SYNC', 'CONVERGING', 'VERIFYING', 'DRIFTED', 'COOLING_OFF', 'BLOCKED', 'EXCUSED'
);

create type public.ledger_account_class_enum as enum (
    'WALLET', 'EXTERNAL', 'SUSPENSE', 'INCOME', 'PAYABLE', 'CLEARING', 'EQUITY'
);

create type public.ledger_entry_type_enum as enum (
    'ORDER_SETTLEMENT', 'ORDER_REVERSAL', 'GATEWAY_SUSPENSE', 'SUSPENSE_RESOLUTION', 'PAYOUT_ACCRUAL',
    'PAYOUT_DISBURSEMENT', 'OPENING_BALANCE', 'ADJUSTMENT'
);
