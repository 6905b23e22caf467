-- Partitions by month, made three months ahead; a DEFAULT partition takes whatever has none [R17].
-- They live in internal, where no client looks, also those of a table in public.

create table internal.audit_log_default partition of internal.audit_log default;
create table internal.meter_state_events_default partition of public.meter_state_events default;
create table messaging.message_archive_default partition of messaging.message_archive default;

-- Make the partitions of this month and the next three; returns the names of those made now.
-- A month of which the DEFAULT partition already holds rows is left to it.
create function internal.ensure_partitions() returns setof text
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
    parent record;
    month timestamptz;
    partition_name text;
    in_default boolean;
begin
    perform pg_advisory_xact_lock(hashtextextended('internal.ensure_partitions', 0));
    for parent in
        select * from (values
            ('internal', 'audit_log', 'internal', 'at'),
            ('public', 'meter_state_events', 'internal', 'created_at'),
            ('messaging', 'message_archive', 'messaging', 'finished_at')
        ) as t (schema, name, home, key)
    loop
        for month in select generate_series(date_trunc('month', now()), now() + interval '3 months', '1 month') loop
            partition_name := format('%s_%s', parent.name, to_char(month, 'YYYY_MM'));
            continue when to_regclass(format('%I.%I', parent.home, partition_name)) is not null;
            execute format(
                'select exists (select from %I.%I where %I >= $1 and %I < $1 + interval ''1 month'')',
                parent.home, parent.name || '_default', parent.key, parent.key
            ) into in_default using month;
            continue when in_default;
            execute format(
                'create table %I.%I partition of %I.%I for values from (%L) to (%L)',
                parent.home, partition_name, parent.schema, parent.name, month, month + interval '1 month'
            );
            return next format('%s.%s', parent.home, partition_name);
        end loop;
    end loop;
end
$$;

select internal.ensure_partitions();
