-- Who calls, by the token's application metadata [REL-104, REL-107, API-208]. Policies ask inside a scalar sub-query, so
-- that each answer is found once for a statement [REL-105].

-- The organization of a member; null for agents and customers, for nobody, and for a claim that is no number.
create function public.rls_get_member_org_id() returns integer
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select case
        when app ->> 'account_type' = 'MEMBER' and app ->> 'organization_id' ~ '^[0-9]{1,9}$'
            then (app ->> 'organization_id')::integer
    end
    from (select auth.jwt() -> 'app_metadata') as claims (app)
$$;

create function public.rls_check_if_nxt_member() returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from internal.deployment d where d.platform_organization_id = (select public.rls_get_member_org_id())
    )
$$;

create function public.rls_check_if_lender() returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(auth.jwt() -> 'app_metadata' ->> 'organization_type' = 'LENDER', false)
$$;
