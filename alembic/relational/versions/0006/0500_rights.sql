-- Every table of public is closed to clients until it has policies, and open to the product's own roles [REL-106]. A
-- hosted database hands new tables to everybody; later migrations call this for theirs.

create function internal.close_to_clients(target regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    execute format('revoke all on table %s from public, anon, authenticated', target);
    execute format('grant select, insert, update, delete on table %s to nxt_app, service_role', target);
    execute format('alter table %s enable row level security', target);
    execute format('drop policy if exists nxt_roles on %s', target);
    execute format(
        'create policy nxt_roles on %s to nxt_app, service_role using (true) with check (true)', target
    );
end
$$;

revoke execute on function internal.close_to_clients(regclass) from public;

select internal.close_to_clients(name::regclass)
from unnest(array[
    'public.energy_cabins', 'public.routers', 'public.device_logs', 'public.autopilot_executions',
    'public.ussd_session_hops', 'public.solcast_cache', 'public.pd_site_submissions', 'public.pd_flow_templates',
    'public.pd_flows', 'public.pd_sites', 'public.pd_document_templates', 'public.pd_action_templates',
    'public.pd_actions', 'public.pd_documents', 'public.pd_audits'
]) as t (name);

grant select, insert, update, delete on internal.provisioning_jobs, internal.provisioning_job_steps to nxt_app;

-- The last of the eleven tables of the change feed [REL-112].
do $$
begin
    if not exists (
        select from pg_publication_tables
        where pubname = 'supabase_realtime' and schemaname = 'public' and tablename = 'device_logs'
    ) then
        alter publication supabase_realtime add table public.device_logs;
    end if;
end
$$;
