"""The reviewed list of what the fresh baseline changes in the deployed schema [R44, relational-schema 13 and 14].

A test compares the tables of the adapter with ``relational-schema.json``; each difference must stand here.
"""

from __future__ import annotations

# [REL-131] Money, prices, energy; [REL-134] zones; [REL-81] a legacy enumeration.
TYPES = {
    "accounts": {"deleted_at": "timestamptz(3)"},
    "connection_requested_meters": {"deleted_at": "timestamptz(3)", "fee": "numeric(20,4)"},
    "connections": {"deleted_at": "timestamptz(3)", "paid": "numeric(20,4)"},
    "customers": {"total_connection_fee": "numeric(20,4)", "total_connection_paid": "numeric(20,4)"},
    "directive_batches": {"directive_type": "text"},
    "grids": {
        "kwp": "numeric(12,2)",
        "kwh": "numeric(12,2)",
        "kwp_tariff": "numeric(12,4)",
        "kwh_tariff": "numeric(12,4)",
        "kwh_tariff_essential_service": "numeric(12,4)",
        "kwh_tariff_full_service": "numeric(12,4)",
        "default_hps_connection_fee": "numeric(20,4)",
        "default_fs_1_phase_connection_fee": "numeric(20,4)",
        "default_fs_3_phase_connection_fee": "numeric(20,4)",
        "monthly_rental": "numeric(20,4)",
        "kwh_per_battery_module": "numeric(12,3)",
        "meter_commissioning_initial_credit_kwh": "numeric(10,3)",
    },
    "issues": {"estimated_lost_revenue": "numeric(20,4)"},
    "meter_credit_transfers": {"amount": "numeric(20,4)", "sender_meter_set_to_amount": "numeric(20,4)"},
    "meter_interactions": {"transactive_kwh": "numeric(12,1)"},
    "meters": {
        "deleted_at": "timestamptz(3)",
        "power_down_count_updated_at": "timestamptz(3)",
        "balance": "numeric(20,4)",
        "kwh_credit_available": "numeric(14,3)",
        "kwh_tariff": "numeric(12,4)",
        "pulse_counter_kwh": "numeric(14,3)",
    },
    "mppts": {"kw": "numeric(10,3)"},
    "orders": {"amount": "numeric(20,4)", "tariff": "numeric(12,4)"},
    "payouts": {"proposed_amount": "numeric(20,4)", "approved_amount": "numeric(20,4)"},
    "transactions": {
        "amount": "numeric(20,4)",
        "balance_before": "numeric(20,4)",
        "balance_after": "numeric(20,4)",
    },
    "ussd_sessions": {"amount": "numeric(20,4)"},
    "wallets": {"balance": "numeric(20,4)"},
}

# [REL-136] Not null from the start.
NOT_NULL = {
    "agents": {"grid_id", "account_id"},
    "api_keys": {"account_id"},
    "connections": {"customer_id"},
    "customers": {"grid_id", "account_id"},
    "dcus": {"communication_protocol"},
    "device_logs": {"device_id"},
    "directive_batches": {"grid_id"},
    "members": {"account_id"},
    "meter_commissionings": {"metering_hardware_install_session_id"},
    "meters": {"communication_protocol"},
    "mppts": {"grid_id"},
    "notes": {"message", "author_id"},
    "notifications": {"carrier_external_system"},
    "orders": {"sender_wallet_id", "receiver_wallet_id"},
    "poles": {"grid_id"},
    "transactions": {"wallet_id", "order_id"},
    "ussd_session_hops": {"ussd_session_id"},
}

# Beyond the additions that the JSON lists: scopes of keys [R42], SMS once [R19].
ADDED = {
    "api_keys": {"scopes"},
    "notifications": {"dedupe_key"},
    "organizations": {"is_revenue_report_enabled"},
}
# [R44] [MET-23] The column's name is that of the metering specification.
RENAMED = {"meter_interactions": {"attempt": "attempts"}}
# [REL-123] Legacy tables are not built; [R44] interactions don't refer to themselves.
FOREIGN_KEYS_DROPPED = {
    ("orders", "directive_id"),
    ("orders", "lorawan_directive_id"),
    ("pd_actions", "pd_section_id"),
}
# [REL-16] All others are NO ACTION.
CASCADES = {("ussd_session_hops", "ussd_session_id")}
# Those of places exist only with PostGIS [R45].
INDEXES_DROPPED = {
    # Replaced by (rls_organization_id, created_at desc) [REL-140].
    "idx_orders_rls_organization_id",
    # They repeat others (decision 0014).
    "idx_orders_energy_topup_grid",
    "idx_orders_energy_topup_receiver",
    "IDX_14f6e0badc019bbdd2f66f7e8a",
    "IDX_5c820aa56824815f8e19484ff5",
}

# New tables: columns beyond the JSON's.
NEW_TABLES_ADDED = {
    "internal.outbox_tasks": {"lease_owner"},
    "internal.sts_tokens": {"nonce"},
    "internal.job_leases": {"created_at"},
}
# New tables whose text in the JSON says null or nothing, and which are stricter or looser for a written reason.
NEW_TABLES_NULL = {
    ("internal.sts_tokens", "token"): True,
    ("internal.meter_secrets", "decoder_key_id"): True,
}
# Not in the JSON at all.
NEW_TABLES_BEYOND = {
    "internal.deployment",
    "internal.ledger_hot_deltas",
    "internal.settlement_failures",
    "internal.intent_inbox",
    "internal.secret_inbox",
    "internal.suspense_resolutions",
    # [PAY-141]
    "internal.credit_transfer_runs",
    # [PAY-40]
    "internal.take_over",
    "internal.take_over_remarks",
    "messaging.device_messages",
    "messaging.admission",
    "messaging.event_halves",
    "messaging.parked_events",
    "messaging.message_archive",
    "auth.users",
}
