-- Orders are cancelled through routes; the platform's members set them aside, from states that allow it [API-210 a].

grant select, update (order_status) on public.orders to authenticated;
create policy "select by own organization" on public.orders for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.orders for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));
create policy "update by platform" on public.orders for update to authenticated
    using ((select public.rls_check_if_nxt_member()))
    with check ((select public.rls_check_if_nxt_member())
        and order_status = 'IGNORED');
create policy "select by lender" on public.orders for select to authenticated
    using (id >= (select case when public.rls_check_if_lender() then 0 else null end)
        and id <= (select case when public.rls_check_if_lender() then 9223372036854775807 else null end)
        and meta_is_hidden_from_reporting = false);
