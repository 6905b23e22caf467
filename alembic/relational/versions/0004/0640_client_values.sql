-- What clients may not decide is put back, without refusing the rest of the row [REL-102, REL-108]: the values that
-- meters and telemetry report, and owners, which follow from pointers. The argument names the columns and what they
-- are at birth. Runs before the triggers that derive owners, since their names come later in the alphabet.

create function internal.accept_client_values() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    kept jsonb := tg_argv[0];
    before jsonb;
begin
    if tg_op = 'UPDATE' then
        before := to_jsonb(old);
        kept := (select jsonb_object_agg(c, before -> c) from jsonb_object_keys(kept) as k (c));
    end if;
    return jsonb_populate_record(new, kept);
end
$$;

create trigger accept_client_values before insert or update on public.meters
    for each row when (current_user in ('anon', 'authenticated'))
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

create trigger accept_client_values before insert or update on public.grids
    for each row when (current_user in ('anon', 'authenticated'))
    execute function internal.accept_client_values('{
        "is_hps_on": false, "is_hps_on_updated_at": null,
        "is_fs_on": false, "is_fs_on_updated_at": null,
        "should_fs_be_on": false, "should_fs_be_on_updated_at": null,
        "generation_gateway_last_seen_at": null, "current_weather": null,
        "are_all_dcus_online": false, "are_all_dcus_under_high_load_threshold": true,
        "is_cabin_meter_credit_depleting": false
    }');

create trigger accept_client_values before update on public.connections
    for each row when (current_user in ('anon', 'authenticated'))
    execute function internal.accept_client_values('{"rls_organization_id": null}');
create trigger accept_client_values before update on public.notes
    for each row when (current_user in ('anon', 'authenticated'))
    execute function internal.accept_client_values('{"rls_organization_id": null}');
