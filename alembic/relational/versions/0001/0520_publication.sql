-- The change feed [REL-112]; a hosted database brings the publication with it [R45].

do $$
declare
    feed text;
begin
    if not exists (select from pg_publication where pubname = 'supabase_realtime') then
        create publication supabase_realtime;
    end if;
    foreach feed in array array[
        'customers', 'dcus', 'devices', 'grids', 'meter_commissionings', 'meter_interactions',
        'metering_hardware_imports', 'meters', 'orders', 'wallets'
    ] loop
        if not exists (
            select from pg_publication_tables
            where pubname = 'supabase_realtime' and schemaname = 'public' and tablename = feed
        ) then
            execute format('alter publication supabase_realtime add table public.%I', feed);
        end if;
    end loop;
end
$$;
