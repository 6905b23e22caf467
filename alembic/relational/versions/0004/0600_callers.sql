-- Agents and customers by their login, for policies [REL-107]. Schema internal is closed to clients, so that policies
-- alone can call these. They look past row security: a policy that asked tables with policies of their own would have
-- those judged row by row.

create function internal.caller_account_id() returns integer
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select a.id from public.accounts a where a.supabase_id = auth.uid() and a.deleted_at is null
$$;

create function internal.caller_agent_id() returns integer
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select a.id from public.agents a where a.account_id = internal.caller_account_id()
$$;

create function internal.caller_customer_id() returns integer
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select c.id from public.customers c where c.account_id = internal.caller_account_id()
$$;

create function internal.caller_connection_ids() returns integer[]
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(c.id), '{}') from public.connections c where c.customer_id = internal.caller_customer_id()
$$;

create function internal.caller_meter_ids() returns integer[]
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(m.id), '{}') from public.meters m
    where m.connection_id = any (internal.caller_connection_ids())
$$;

-- Wallets that a person pays from and is paid to.
create function internal.caller_wallet_ids() returns integer[]
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(w.id), '{}') from public.wallets w
    where w.agent_id = internal.caller_agent_id() or w.customer_id = internal.caller_customer_id()
        or w.connection_id = any (internal.caller_connection_ids())
$$;

-- Wallets of a customer's meters, which may have been others' before.
create function internal.caller_supply_wallet_ids() returns integer[]
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(w.id), '{}') from public.wallets w where w.meter_id = any (internal.caller_meter_ids())
$$;

create function internal.caller_grid() returns table (
    id integer, name varchar, timezone varchar, is_hps_on boolean, is_fs_on boolean
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select g.id, g.name, g.timezone, g.is_hps_on, g.is_fs_on from public.grids g
    where g.id = (select a.grid_id from public.agents a where a.id = internal.caller_agent_id())
        or g.id = (select c.grid_id from public.customers c where c.id = internal.caller_customer_id())
$$;

-- Grids that reports leave out, for lenders [REL-28, REL-108].
create function internal.hidden_grid_ids() returns integer[]
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(g.id), '{}') from public.grids g where g.is_hidden_from_reporting
$$;

revoke execute on function
    internal.caller_account_id(), internal.caller_agent_id(), internal.caller_customer_id(),
    internal.caller_connection_ids(), internal.caller_meter_ids(), internal.caller_wallet_ids(),
    internal.caller_supply_wallet_ids(), internal.caller_grid(), internal.hidden_grid_ids()
    from public;
grant execute on function
    internal.caller_account_id(), internal.caller_agent_id(), internal.caller_customer_id(),
    internal.caller_connection_ids(), internal.caller_meter_ids(), internal.caller_wallet_ids(),
    internal.caller_supply_wallet_ids(), internal.caller_grid(), internal.hidden_grid_ids()
    to authenticated;

-- What agents and customers may know of their grid; the table itself is closed to them.
create view public.my_grid with (security_invoker = true) as
    select id, name, timezone, is_hps_on, is_fs_on from internal.caller_grid();
