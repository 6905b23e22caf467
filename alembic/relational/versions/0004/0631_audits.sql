-- The feed is read by those it is about, and written in one's own name [API-210 b].

grant select, insert on public.audits to authenticated;
create policy "select by own organization" on public.audits for select to authenticated
    using (organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.audits for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));
create policy "insert by own organization" on public.audits for insert to authenticated
    with check (coalesce(organization_id, (select public.rls_get_member_org_id())) = (select public.rls_get_member_org_id())
        and author_id = (select internal.caller_account_id()));
create policy "insert by platform" on public.audits for insert to authenticated
    with check ((select public.rls_check_if_nxt_member())
        and author_id = (select internal.caller_account_id()));
