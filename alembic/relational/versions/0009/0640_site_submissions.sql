-- The public form: anybody proposes a site, in the form's own columns, and gets back no row but that one [REL-108].

grant select, insert (author_email, author_full_name, author_organization_name, location_geom, outline_geom,
site_details, site_name) on public.pd_site_submissions to anon;
grant select, insert, update on public.pd_site_submissions to authenticated;
create policy "select by own organization" on public.pd_site_submissions for select to authenticated
    using (organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.pd_site_submissions for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));
create policy "insert by platform" on public.pd_site_submissions for insert to authenticated
    with check ((select public.rls_check_if_nxt_member()));
create policy "update by platform" on public.pd_site_submissions for update to authenticated
    using ((select public.rls_check_if_nxt_member()))
    with check ((select public.rls_check_if_nxt_member()));
create policy "insert by anonymous" on public.pd_site_submissions for insert to anon
    with check (true);
create policy "select by anonymous" on public.pd_site_submissions for select to anon
    using (created_at = (select now()));
