-- Functions are for those that need them [REL-96]; a hosted database hands new ones to everybody.

revoke execute on function
    public.rls_get_member_org_id(), public.rls_check_if_nxt_member(), public.rls_check_if_lender(),
    public.handle_new_user(), public.handle_update_user()
    from public, anon, authenticated, service_role;

grant execute on function
    public.rls_get_member_org_id(), public.rls_check_if_nxt_member(), public.rls_check_if_lender()
    to authenticated;
