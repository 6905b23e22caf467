-- Row security is on for every table that clients could see [REL-106]; the product's own roles pass [REL-111].
-- Until a tenant's policies exist, a table is closed to clients.

do $$
declare
    item record;
begin
    for item in
        select c.relname as name from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
            and c.relname <> 'alembic_version'
    loop
        execute format('alter table public.%I enable row level security', item.name);
        execute format(
            'create policy nxt_roles on public.%I to nxt_app, service_role using (true) with check (true)', item.name
        );
    end loop;
end
$$;

create policy nxt_ledger on public.wallets to nxt_ledger using (true) with check (true);
