-- Values that clients may not decide are put back for every caller under row security [REL-108], not for two names only:
-- a role of a deployment's own that inherits `authenticated` has its policies, and now its limits. The product's roles
-- report values, also where they pass by a policy.

create or replace trigger accept_client_values before insert or update on public.meters
    for each row when (
        current_user not in ('nxt_app', 'service_role', 'nxt_ledger') and row_security_active('public.meters')
    )
    execute function internal.accept_client_values('{
        "rls_organization_id": null, "rls_grid_id": null,
        "is_on": false, "is_on_updated_at": null,
        "power_limit": null, "power_limit_updated_at": null,
        "kwh_credit_available": null, "kwh_credit_available_updated_at": null,
        "balance": null, "balance_updated_at": null,
        "voltage": null, "voltage_updated_at": null,
        "power": null, "power_updated_at": null,
        "power_down_count": null, "power_down_count_updated_at": null,
        "pulse_counter_kwh": null, "pulse_counter_kwh_updated_at": null,
        "last_seen_at": null, "last_non_zero_consumption_at": null, "last_sts_token_issued_at": null,
        "version": null, "current_special_status": null, "connection_metrics": null
    }');

create or replace trigger accept_client_values before insert or update on public.grids
    for each row when (
        current_user not in ('nxt_app', 'service_role', 'nxt_ledger') and row_security_active('public.grids')
    )
    execute function internal.accept_client_values('{
        "is_hps_on": false, "is_hps_on_updated_at": null,
        "is_fs_on": false, "is_fs_on_updated_at": null,
        "should_fs_be_on": false, "should_fs_be_on_updated_at": null,
        "generation_gateway_last_seen_at": null, "current_weather": null,
        "are_all_dcus_online": false, "are_all_dcus_under_high_load_threshold": true,
        "is_cabin_meter_credit_depleting": false
    }');

create or replace trigger accept_client_values before update on public.connections
    for each row when (
        current_user not in ('nxt_app', 'service_role', 'nxt_ledger') and row_security_active('public.connections')
    )
    execute function internal.accept_client_values('{"rls_organization_id": null}');
create or replace trigger accept_client_values before update on public.notes
    for each row when (
        current_user not in ('nxt_app', 'service_role', 'nxt_ledger') and row_security_active('public.notes')
    )
    execute function internal.accept_client_values('{"rls_organization_id": null}');
