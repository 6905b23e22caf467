-- Project development: the platform's members work on it; members of all organizations read what is no tenant's
-- [REL-108]. Tables of projects that are not here stay closed to others.

grant select, insert, update on public.pd_sites to authenticated;
create policy "select by platform" on public.pd_sites for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));
create policy "insert by platform" on public.pd_sites for insert to authenticated
    with check ((select public.rls_check_if_nxt_member()));
create policy "update by platform" on public.pd_sites for update to authenticated
    using ((select public.rls_check_if_nxt_member()))
    with check ((select public.rls_check_if_nxt_member()));

grant select, insert, update on public.pd_flows to authenticated;
create policy "select by platform" on public.pd_flows for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));
create policy "insert by platform" on public.pd_flows for insert to authenticated
    with check ((select public.rls_check_if_nxt_member()));
create policy "update by platform" on public.pd_flows for update to authenticated
    using ((select public.rls_check_if_nxt_member()))
    with check ((select public.rls_check_if_nxt_member()));

grant select, insert, update on public.pd_actions to authenticated;
create policy "select by platform" on public.pd_actions for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));
create policy "insert by platform" on public.pd_actions for insert to authenticated
    with check ((select public.rls_check_if_nxt_member()));
create policy "update by platform" on public.pd_actions for update to authenticated
    using ((select public.rls_check_if_nxt_member()))
    with check ((select public.rls_check_if_nxt_member()));

grant select, insert on public.pd_documents to authenticated;
create policy "select by member" on public.pd_documents for select to authenticated
    using ((select public.rls_get_member_org_id()) is not null);
create policy "insert by platform" on public.pd_documents for insert to authenticated
    with check ((select public.rls_check_if_nxt_member()));

grant select on public.pd_audits to authenticated;
create policy "select by member" on public.pd_audits for select to authenticated
    using ((select public.rls_get_member_org_id()) is not null);

grant select on public.pd_flow_templates to authenticated;
create policy "select by member" on public.pd_flow_templates for select to authenticated
    using ((select public.rls_get_member_org_id()) is not null);

grant select on public.pd_action_templates to authenticated;
create policy "select by member" on public.pd_action_templates for select to authenticated
    using ((select public.rls_get_member_org_id()) is not null);

grant select on public.pd_document_templates to authenticated;
create policy "select by member" on public.pd_document_templates for select to authenticated
    using ((select public.rls_get_member_org_id()) is not null);
