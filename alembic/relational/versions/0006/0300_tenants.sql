-- Owner organizations of the new tables [REL-84, REL-101].

create function public.append_rls_organization_id_by_device_id() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    new.rls_organization_id := (select d.rls_organization_id from public.devices d where d.id = new.device_id);
    return new;
end
$$;

create or replace function internal.rescope_below() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    case tg_table_name
        when 'grids' then
            update public.agents set grid_id = grid_id where grid_id = new.id;
            update public.customers set grid_id = grid_id where grid_id = new.id;
            update public.dcus set grid_id = grid_id where grid_id = new.id;
            update public.devices set grid_id = grid_id where grid_id = new.id;
            update public.directive_batches set grid_id = grid_id where grid_id = new.id;
            update public.energy_cabins set grid_id = grid_id where grid_id = new.id;
            update public.mppts set grid_id = grid_id where grid_id = new.id;
            update public.poles set grid_id = grid_id where grid_id = new.id;
            update public.routers set grid_id = grid_id where grid_id = new.id;
            update public.issues set grid_id = grid_id where grid_id = new.id and issue_status = 'OPEN';
        when 'accounts' then
            update public.members set account_id = account_id where account_id = new.id;
        when 'agents' then
            update public.wallets set agent_id = agent_id where agent_id = new.id;
        when 'customers' then
            update public.connections set customer_id = customer_id where customer_id = new.id;
            update public.notes set customer_id = customer_id where customer_id = new.id;
            update public.wallets set customer_id = customer_id where customer_id = new.id;
        when 'connections' then
            update public.connection_requested_meters set connection_id = connection_id where connection_id = new.id;
            update public.meters set connection_id = connection_id where connection_id = new.id;
            update public.notes set connection_id = connection_id where connection_id = new.id;
            update public.wallets set connection_id = connection_id where connection_id = new.id;
        when 'meters' then
            update public.wallets set meter_id = meter_id where meter_id = new.id;
            update public.notes set meter_id = meter_id where meter_id = new.id;
            update public.meter_shadows set rls_organization_id = new.rls_organization_id where meter_id = new.id;
            update public.issues set meter_id = meter_id where meter_id = new.id and issue_status = 'OPEN';
            update public.metering_hardware_install_sessions set meter_id = meter_id where meter_id = new.id;
        when 'dcus' then
            update public.metering_hardware_install_sessions set dcu_id = dcu_id where dcu_id = new.id;
        when 'mppts' then
            update public.issues set mppt_id = mppt_id where mppt_id = new.id and issue_status = 'OPEN';
    end case;
    return null;
end
$$;

create trigger append_rls_organization_id_on_energy_cabin_insert
    before insert or update of grid_id on public.energy_cabins
    for each row execute function public.append_rls_organization_id_by_grid_id();
create trigger append_rls_organization_id_on_route_insert before insert or update of grid_id on public.routers
    for each row execute function public.append_rls_organization_id_by_grid_id();
create trigger append_rls_organization_id_by_device_id before insert on public.device_logs
    for each row execute function public.append_rls_organization_id_by_device_id();

revoke execute on function public.append_rls_organization_id_by_device_id()
    from public, anon, authenticated, service_role;
