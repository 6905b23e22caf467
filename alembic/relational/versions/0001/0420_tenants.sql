-- Owner organizations follow the ownership chain [REL-22, REL-84, REL-101, REL-102, PAY-16, MET-37].
-- A row's pointer decides; what a client sends is overwritten. Functions keep the names that are known [REL-187].

create function public.append_rls_organization_id_by_grid_id() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    new.rls_organization_id := (select g.organization_id from public.grids g where g.id = new.grid_id);
    return new;
end
$$;

create function public.append_rls_organization_id_by_account_id() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    new.rls_organization_id := (select a.organization_id from public.accounts a where a.id = new.account_id);
    return new;
end
$$;

create function public.append_rls_organization_id_by_customer_id() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    new.rls_organization_id := (select c.rls_organization_id from public.customers c where c.id = new.customer_id);
    if tg_table_name = 'notes' and new.customer_id is null then
        new.rls_organization_id := coalesce(
            (select c.rls_organization_id from public.connections c where c.id = new.connection_id),
            (select m.rls_organization_id from public.meters m where m.id = new.meter_id)
        );
    end if;
    return new;
end
$$;

-- A meter's grid is that of its connection's customer; a meter in stock has none [MET-14].
create function public.append_rls_organization_id_by_connection_id() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    grid integer;
    organization integer;
begin
    select u.grid_id, u.rls_organization_id into grid, organization
    from public.connections c join public.customers u on u.id = c.customer_id where c.id = new.connection_id;
    new.rls_organization_id := organization;
    if tg_table_name = 'meters' then
        new.rls_grid_id := grid;
    end if;
    return new;
end
$$;

create function public.append_rls_organization_id_by_meter_id() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    new.rls_organization_id := (select m.rls_organization_id from public.meters m where m.id = new.meter_id);
    if tg_table_name = 'issues' and new.meter_id is null then
        new.rls_organization_id := coalesce(
            (select g.organization_id from public.grids g where g.id = new.grid_id),
            (select p.rls_organization_id from public.mppts p where p.id = new.mppt_id)
        );
    end if;
    return new;
end
$$;

create function public.append_rls_organization_id_by_receiver_meter_id() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    new.rls_organization_id := (select m.rls_organization_id from public.meters m where m.id = new.receiver_meter_id);
    return new;
end
$$;

create function public.append_rls_organization_id_by_order_id() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    new.rls_organization_id := (select o.rls_organization_id from public.orders o where o.id = new.order_id);
    return new;
end
$$;

create function public.append_rls_organization_id_by_directive_batch_id() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    new.rls_organization_id := (
        select b.rls_organization_id from public.directive_batches b where b.id = new.directive_batch_id
    );
    return new;
end
$$;

create function public.append_rls_organization_id_by_dcu_id_or_meter_id() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if new.dcu_id is not null then
        new.rls_organization_id := (select d.rls_organization_id from public.dcus d where d.id = new.dcu_id);
    else
        new.rls_organization_id := (select m.rls_organization_id from public.meters m where m.id = new.meter_id);
    end if;
    return new;
end
$$;

-- A meter's session may start before the meter is assigned; what it registers belongs to the meter's present owner.
create function public.append_rls_organization_id_by_metering_hardware_install_session() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    new.rls_organization_id := (
        select coalesce(d.rls_organization_id, m.rls_organization_id, s.rls_organization_id)
        from public.metering_hardware_install_sessions s
        left join public.dcus d on d.id = s.dcu_id
        left join public.meters m on m.id = s.meter_id
        where s.id = new.metering_hardware_install_session_id
    );
    return new;
end
$$;

create function public.append_rls_organization_id_by_customer_id_or_agent_id_or_connec() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    new.rls_organization_id := case
        when new.customer_id is not null
            then (select c.rls_organization_id from public.customers c where c.id = new.customer_id)
        when new.agent_id is not null
            then (select a.rls_organization_id from public.agents a where a.id = new.agent_id)
        when new.connection_id is not null
            then (select c.rls_organization_id from public.connections c where c.id = new.connection_id)
        when new.organization_id is not null then new.organization_id
        when new.meter_id is not null
            then (select m.rls_organization_id from public.meters m where m.id = new.meter_id)
    end;
    return new;
end
$$;

-- Rows that describe the present follow when something above them moves; history stays [REL-84]. Each step touches
-- the pointers below, whose own triggers derive anew.
create function internal.rescope_below() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    case tg_table_name
        when 'grids' then
            update public.agents set grid_id = grid_id where grid_id = new.id;
            update public.customers set grid_id = grid_id where grid_id = new.id;
            update public.dcus set grid_id = grid_id where grid_id = new.id;
            update public.devices set grid_id = grid_id where grid_id = new.id;
            update public.directive_batches set grid_id = grid_id where grid_id = new.id;
            update public.mppts set grid_id = grid_id where grid_id = new.id;
            update public.poles set grid_id = grid_id where grid_id = new.id;
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

create trigger append_rls_organization_id_on_agent_insert before insert or update of grid_id on public.agents
    for each row execute function public.append_rls_organization_id_by_grid_id();
create trigger append_rls_organization_id_on_customer_insert before insert or update of grid_id on public.customers
    for each row execute function public.append_rls_organization_id_by_grid_id();
create trigger append_rls_organization_id_on_dcus_insert before insert or update of grid_id on public.dcus
    for each row execute function public.append_rls_organization_id_by_grid_id();
create trigger append_rls_organization_id_on_devices_insert before insert or update of grid_id on public.devices
    for each row execute function public.append_rls_organization_id_by_grid_id();
create trigger append_rls_organization_id_on_directive_batch_insert
    before insert or update of grid_id on public.directive_batches
    for each row execute function public.append_rls_organization_id_by_grid_id();
create trigger append_rls_organization_id_on_mppt_insert before insert or update of grid_id on public.mppts
    for each row execute function public.append_rls_organization_id_by_grid_id();
create trigger append_rls_organization_id_on_pole_insert before insert or update of grid_id on public.poles
    for each row execute function public.append_rls_organization_id_by_grid_id();
create trigger append_rls_organization_id_on_member_insert before insert or update of account_id on public.members
    for each row execute function public.append_rls_organization_id_by_account_id();
create trigger append_rls_organization_id_on_connection_insert
    before insert or update of customer_id on public.connections
    for each row execute function public.append_rls_organization_id_by_customer_id();
create trigger append_rls_organization_id_on_note_insert
    before insert or update of customer_id, connection_id, meter_id on public.notes
    for each row execute function public.append_rls_organization_id_by_customer_id();
create trigger append_rls_organization_id_on_requested_connection_meters_inser
    before insert or update of connection_id on public.connection_requested_meters
    for each row execute function public.append_rls_organization_id_by_connection_id();
create trigger append_rls_organization_id_on_meter_insert before insert or update of connection_id on public.meters
    for each row execute function public.append_rls_organization_id_by_connection_id();
create trigger append_rls_organization_id_on_meter_install_session_insert
    before insert or update of dcu_id, meter_id on public.metering_hardware_install_sessions
    for each row execute function public.append_rls_organization_id_by_dcu_id_or_meter_id();
create trigger append_rls_organization_id_on_meter_commissioning_insert before insert on public.meter_commissionings
    for each row execute function public.append_rls_organization_id_by_metering_hardware_install_session();
create trigger append_rls_organization_id_on_metering_hardware_import_insert
    before insert on public.metering_hardware_imports
    for each row execute function public.append_rls_organization_id_by_metering_hardware_install_session();
create trigger append_rls_organization_id_on_issue_insert
    before insert or update of meter_id, grid_id, mppt_id on public.issues
    for each row execute function public.append_rls_organization_id_by_meter_id();
create trigger append_rls_organization_id_on_meter_shadow_insert before insert on public.meter_shadows
    for each row execute function public.append_rls_organization_id_by_meter_id();
create trigger append_rls_organization_id_on_meter_state_event_insert before insert on public.meter_state_events
    for each row execute function public.append_rls_organization_id_by_meter_id();
create trigger append_rls_organization_id_on_directive_batch_execution_insert
    before insert on public.directive_batch_executions
    for each row execute function public.append_rls_organization_id_by_directive_batch_id();
create trigger append_rls_organization_id_on_meter_credit_transfer_insert
    before insert on public.meter_credit_transfers
    for each row execute function public.append_rls_organization_id_by_receiver_meter_id();
create trigger append_rls_organization_id_on_wallet_insert
    before insert or update of customer_id, agent_id, connection_id, organization_id, meter_id on public.wallets
    for each row execute function public.append_rls_organization_id_by_customer_id_or_agent_id_or_connec();
-- Only the application writes these two, and in bulk: what it knows already is not looked up again.
create trigger append_rls_organization_id_on_meter_interaction_insert before insert on public.meter_interactions
    for each row when (new.rls_organization_id is null)
    execute function public.append_rls_organization_id_by_meter_id();
create trigger append_rls_organization_id_on_transaction_insert before insert on public.transactions
    for each row when (new.rls_organization_id is null)
    execute function public.append_rls_organization_id_by_order_id();

create trigger rescope_below after update of organization_id on public.grids
    for each row when (new.organization_id <> old.organization_id) execute function internal.rescope_below();
create trigger rescope_below after update of organization_id on public.accounts
    for each row when (new.organization_id is distinct from old.organization_id)
    execute function internal.rescope_below();
create trigger rescope_below after update of grid_id on public.agents
    for each row when (new.rls_organization_id is distinct from old.rls_organization_id)
    execute function internal.rescope_below();
create trigger rescope_below after update of grid_id on public.customers
    for each row when (
        new.rls_organization_id is distinct from old.rls_organization_id or new.grid_id <> old.grid_id
    ) execute function internal.rescope_below();
-- Always: a customer may have moved between two grids of one owner, and the meters' copy of the grid must follow.
create trigger rescope_below after update of customer_id on public.connections
    for each row execute function internal.rescope_below();
create trigger rescope_below after update of connection_id on public.meters
    for each row when (new.rls_organization_id is distinct from old.rls_organization_id)
    execute function internal.rescope_below();
create trigger rescope_below after update of grid_id on public.dcus
    for each row when (new.rls_organization_id is distinct from old.rls_organization_id)
    execute function internal.rescope_below();
create trigger rescope_below after update of grid_id on public.mppts
    for each row when (new.rls_organization_id is distinct from old.rls_organization_id)
    execute function internal.rescope_below();
