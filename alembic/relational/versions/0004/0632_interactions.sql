-- Commands are seen by the meter's organization [API-210 c].

grant select on public.meter_interactions to authenticated;
create policy "select by own organization" on public.meter_interactions for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.meter_interactions for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));
