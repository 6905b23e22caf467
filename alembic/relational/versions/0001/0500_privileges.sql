-- Who may do what [R14, REL-96, REL-109]. The product's roles run as nxt_app; only nxt_ledger writes the ledger.

grant usage on schema public, internal, messaging to nxt_app;
grant usage on schema public, internal to nxt_ledger;
grant usage on schema public to anon, authenticated, service_role;

grant select, insert, update, delete on all tables in schema public, internal, messaging to nxt_app;
grant select, insert, update, delete on all tables in schema public to service_role;
grant usage on all sequences in schema public, internal, messaging to nxt_app, service_role;
alter default privileges in schema public grant select, insert, update, delete on tables to nxt_app, service_role;
alter default privileges in schema internal grant select, insert, update, delete on tables to nxt_app;
alter default privileges in schema messaging grant select, insert, update, delete on tables to nxt_app;

revoke insert, update, delete, truncate
    on internal.ledger_accounts, internal.ledger_entries, internal.ledger_postings, internal.ledger_hot_deltas
    from nxt_app;
revoke delete on internal.audit_log from nxt_app;

-- Clients get rights table by table, with the policies that limit them.
revoke all on all tables in schema public from anon, authenticated;
revoke all on all tables in schema internal, messaging from anon, authenticated, service_role;

grant select, insert, update on internal.ledger_accounts to nxt_ledger;
grant select, insert on internal.ledger_entries, internal.ledger_postings to nxt_ledger;
grant usage on sequence internal.ledger_entries_id_seq to nxt_ledger;
grant select, insert, delete on internal.ledger_hot_deltas to nxt_ledger;
grant select on public.wallets to nxt_ledger;
grant update (balance, balance_updated_at) on public.wallets to nxt_ledger;

revoke execute on all functions in schema internal from public;
do $$
declare
    routine record;
begin
    for routine in
        select p.oid::regprocedure as signature from pg_proc p
        where p.pronamespace = 'public'::regnamespace and p.proname like 'append\_rls\_organization\_id\_by\_%'
    loop
        execute format('revoke execute on function %s from public', routine.signature);
    end loop;
end
$$;

grant create on schema internal to nxt_ledger;
alter function internal.post_entries(jsonb) owner to nxt_ledger;
alter function internal.post_entry(jsonb) owner to nxt_ledger;
alter function internal.refresh_hot_balances() owner to nxt_ledger;
alter function internal.open_wallet_account() owner to nxt_ledger;
alter function internal.ensure_ledger_account(text) owner to nxt_ledger;
alter function internal.check_entry_balance() owner to nxt_ledger;
revoke create on schema internal from nxt_ledger;

grant execute on function
    internal.post_entries(jsonb), internal.post_entry(jsonb), internal.refresh_hot_balances(),
    internal.ensure_ledger_account(text), internal.ensure_partitions()
    to nxt_app;
