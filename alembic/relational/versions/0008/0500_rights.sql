-- A hosted database hands new functions and views of public to everybody [REL-96, REL-109].

revoke execute on function
    public.get_grid_status(integer), public.find_energy_topup_revenue(integer, timestamptz, timestamptz),
    public.find_top_spenders(integer, integer, timestamptz, timestamptz),
    public.get_flutterwave_credentials(integer), internal.refresh_compat_views()
    from public, anon, authenticated, service_role;
grant execute on function
    public.get_grid_status(integer), public.find_energy_topup_revenue(integer, timestamptz, timestamptz),
    public.find_top_spenders(integer, integer, timestamptz, timestamptz)
    to authenticated;
grant execute on function public.get_flutterwave_credentials(integer) to service_role;

revoke all on
    public.agents_with_account, public.customers_with_account, public.meters_with_account_and_statuses,
    public.batch_commands
    from public, anon, authenticated, service_role;
-- Below batch_commands lies compat.directives, in a schema that clients can't enter.
grant select on
    public.agents_with_account, public.customers_with_account, public.meters_with_account_and_statuses,
    public.batch_commands, compat.directives
    to authenticated, service_role, nxt_app;

grant usage on schema compat to service_role, nxt_app;
grant select on all tables in schema compat to service_role, nxt_app;
