"""Every table of the relational plane, in its final form; migrations make them, `nxt db check` compares them."""

from nxt_adapters.supabase.tables.audit import audit_log, audits
from nxt_adapters.supabase.tables.columns import GeoJson, metadata
from nxt_adapters.supabase.tables.contracts import connection_requested_meters, connections
from nxt_adapters.supabase.tables.deployment import deployment
from nxt_adapters.supabase.tables.gateway import (
    gateway_charges,
    gateway_events,
    organization_payment_credentials,
    suspense_resolutions,
)
from nxt_adapters.supabase.tables.grids import grids
from nxt_adapters.supabase.tables.identity import (
    accounts,
    agents,
    api_keys,
    auth_users,
    customers,
    members,
    notes,
    organizations,
)
from nxt_adapters.supabase.tables.infrastructure import (
    dcus,
    device_types,
    devices,
    energy_cabins,
    mppts,
    poles,
    routers,
)
from nxt_adapters.supabase.tables.installation import (
    meter_commissionings,
    metering_hardware_imports,
    metering_hardware_install_sessions,
)
from nxt_adapters.supabase.tables.interactions import (
    directive_batch_executions,
    directive_batches,
    interaction_requests,
    meter_interactions,
)
from nxt_adapters.supabase.tables.ledger import ledger_accounts, ledger_entries, ledger_hot_deltas, ledger_postings
from nxt_adapters.supabase.tables.messaging import (
    admission,
    device_messages,
    event_halves,
    message_archive,
    parked_events,
)
from nxt_adapters.supabase.tables.meters import intent_inbox, issues, meter_shadows, meter_state_events, meters
from nxt_adapters.supabase.tables.money import (
    credit_transfer_runs,
    meter_credit_transfers,
    transactions,
    ussd_sessions,
    wallets,
)
from nxt_adapters.supabase.tables.notifications import notification_parameters, notifications
from nxt_adapters.supabase.tables.orders import orders
from nxt_adapters.supabase.tables.payouts import bank_accounts, banks, payouts
from nxt_adapters.supabase.tables.projects import (
    pd_action_templates,
    pd_actions,
    pd_audits,
    pd_document_templates,
    pd_documents,
    pd_flow_templates,
    pd_flows,
    pd_site_submissions,
    pd_sites,
)
from nxt_adapters.supabase.tables.provisioning import provisioning_job_steps, provisioning_jobs
from nxt_adapters.supabase.tables.short_lived import (
    autopilot_executions,
    device_logs,
    solcast_cache,
    ussd_session_hops,
)
from nxt_adapters.supabase.tables.take_over import take_over, take_over_remarks
from nxt_adapters.supabase.tables.tokens import meter_secrets, secret_inbox, secrets, sts_tokens
from nxt_adapters.supabase.tables.work import (
    idempotency_keys,
    inbox_messages,
    job_leases,
    job_units,
    outbox_tasks,
    settlement_failures,
)

__all__ = [
    "GeoJson",
    "accounts",
    "admission",
    "agents",
    "api_keys",
    "audit_log",
    "audits",
    "auth_users",
    "autopilot_executions",
    "bank_accounts",
    "banks",
    "connection_requested_meters",
    "connections",
    "credit_transfer_runs",
    "customers",
    "dcus",
    "deployment",
    "device_logs",
    "device_messages",
    "device_types",
    "devices",
    "directive_batch_executions",
    "directive_batches",
    "energy_cabins",
    "event_halves",
    "gateway_charges",
    "gateway_events",
    "grids",
    "idempotency_keys",
    "inbox_messages",
    "intent_inbox",
    "interaction_requests",
    "issues",
    "job_leases",
    "job_units",
    "ledger_accounts",
    "ledger_entries",
    "ledger_hot_deltas",
    "ledger_postings",
    "members",
    "message_archive",
    "metadata",
    "meter_commissionings",
    "meter_credit_transfers",
    "meter_interactions",
    "meter_secrets",
    "meter_shadows",
    "meter_state_events",
    "metering_hardware_imports",
    "metering_hardware_install_sessions",
    "meters",
    "mppts",
    "notes",
    "notification_parameters",
    "notifications",
    "orders",
    "organization_payment_credentials",
    "organizations",
    "outbox_tasks",
    "parked_events",
    "payouts",
    "pd_action_templates",
    "pd_actions",
    "pd_audits",
    "pd_document_templates",
    "pd_documents",
    "pd_flow_templates",
    "pd_flows",
    "pd_site_submissions",
    "pd_sites",
    "poles",
    "provisioning_job_steps",
    "provisioning_jobs",
    "routers",
    "secret_inbox",
    "secrets",
    "settlement_failures",
    "solcast_cache",
    "sts_tokens",
    "suspense_resolutions",
    "take_over",
    "take_over_remarks",
    "transactions",
    "ussd_session_hops",
    "ussd_sessions",
    "wallets",
]
