-- For readers of the former schema [REL-125 to REL-127]: commands under their old names, numbers as floats.

create schema compat;

create view compat.directives with (security_invoker = true) as
    select i.id, i.created_at, i.updated_at, i.meter_id, i.order_id, i.token,
        case i.meter_interaction_type
            when 'READ_CREDIT' then 'READ_CURRENT_CREDIT'
            when 'READ_POWER_LIMIT' then 'PLR'
            when 'SET_POWER_LIMIT' then 'PLS'
            when 'TURN_ON' then 'ON'
            when 'TURN_OFF' then 'OFF'
            when 'DELIVER_PREEXISTING_TOKEN' then 'SEND_TOKEN'
            when 'READ_VERSION' then 'READ_METER_VERSION'
            when 'SET_DATE' then 'WRITE_DATE'
            when 'SET_TIME' then 'WRITE_TIME'
            else i.meter_interaction_type::text
        end as directive_type,
        case i.meter_interaction_status
            when 'DEFERRED' then 'INITIALISED'
            when 'QUEUED' then 'PENDING'
            when 'SUSPENDED' then 'PENDING'
            when 'PROCESSING' then 'SENT_TO_METER'
            when 'ABORTED' then 'CANCELLED'
            else i.meter_interaction_status::text
        end as directive_status,
        null::text as directive_error,
        i.batch_execution_id as directive_batch_execution_id, i.meter_commissioning_id, i.rls_organization_id
    from public.meter_interactions i where i.meter_interaction_type not in ('READ_REPORT', 'JOIN_NETWORK');

create view public.batch_commands with (security_invoker = true) as
    select d.id, d.directive_type, d.directive_status, d.created_at, d.meter_id, d.directive_batch_execution_id,
        d.directive_error, m.external_reference as meter_external_reference, m.meter_type, m.latitude, m.longitude,
        p.location_geom, m.dcu_id, g.external_reference as dcu_external_reference
    from compat.directives d
    left join public.meters m on m.id = d.meter_id
    left join public.poles p on p.id = m.pole_id
    left join public.dcus g on g.id = m.dcu_id
    where d.directive_batch_execution_id is not null;

-- Write the views that repeat a table with floats for its decimals. A step that adds a column to one of these tables
-- calls it again; one that changes a column drops the view before.
create function internal.refresh_compat_views() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    original text;
    columns text;
begin
    foreach original in array array['orders', 'meters', 'grids', 'wallets', 'transactions'] loop
        select string_agg(
            case a.atttypid when 'numeric'::regtype then format('t.%1$I::float8 as %1$I', a.attname)
                else format('t.%I', a.attname) end,
            ', ' order by a.attnum
        ) into columns
        from pg_attribute a
        where a.attrelid = format('public.%I', original)::regclass and a.attnum > 0 and not a.attisdropped;
        execute format(
            'create or replace view compat.%1$I with (security_invoker = true) as select %2$s from public.%1$I t',
            original, columns
        );
    end loop;
end
$$;

select internal.refresh_compat_views();
