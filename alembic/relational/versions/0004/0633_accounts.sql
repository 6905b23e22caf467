-- Of an account members change nothing but its link to a chat, which they may cut [API-210 e].

grant select, update (telegram_id) on public.accounts to authenticated;
create policy "select by own organization" on public.accounts for select to authenticated
    using (organization_id = (select public.rls_get_member_org_id()));
create policy "update by own organization" on public.accounts for update to authenticated
    using (organization_id = (select public.rls_get_member_org_id()))
    with check (organization_id = (select public.rls_get_member_org_id())
        and telegram_id is null);
create policy "select by platform" on public.accounts for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));
create policy "update by platform" on public.accounts for update to authenticated
    using ((select public.rls_check_if_nxt_member()))
    with check ((select public.rls_check_if_nxt_member())
        and telegram_id is null);
