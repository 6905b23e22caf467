-- More of what stands on a grid, and logs of devices: for their organization and the platform's members [REL-108].

grant select on public.energy_cabins to authenticated;
create policy "select by own organization" on public.energy_cabins for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.energy_cabins for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));

grant select on public.routers to authenticated;
create policy "select by own organization" on public.routers for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.routers for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));

grant select on public.device_logs to authenticated;
create policy "select by own organization" on public.device_logs for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.device_logs for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));
