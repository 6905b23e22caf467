-- Nobody but the owner truncates, and clients hold no right that no policy limits [REL-106, REL-109]. A hosted database
-- hands every right on new tables to everybody; that ends here.

revoke all on all tables in schema public from public, anon, authenticated;
revoke truncate, trigger, references on all tables in schema public from service_role, nxt_app;
alter default privileges in schema public revoke all on tables from public, anon, authenticated;
alter default privileges in schema public revoke truncate, trigger, references on tables from service_role, nxt_app;

-- The table of revisions too; tables of extensions are theirs.
do $$
declare
    item record;
begin
    for item in
        select c.oid::regclass as name from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
            and not c.relrowsecurity
            and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
    loop
        execute format('alter table %s enable row level security', item.name);
        execute format(
            'create policy nxt_roles on %s to nxt_app, service_role using (true) with check (true)', item.name
        );
    end loop;
end
$$;
