-- An account mirrors its login [REL-34, REL-97, REL-98]. What the identity provider's table has beyond these four columns
-- doesn't matter; an empty text there means none.

create function public.handle_new_user() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into public.accounts
        (supabase_id, email, phone, full_name, telegram_link_token, telegram_link_token_expires_at)
    values (
        new.id, nullif(new.email, ''), nullif(ltrim(new.phone, '+'), ''), new.raw_user_meta_data ->> 'full_name',
        gen_random_uuid()::text, now() + interval '30 days'
    );
    return null;
end
$$;

-- Every change of a login writes what differs, so that a mirror that was touched by hand is right again. An organization
-- that is no integer fails the change of the login.
create function public.handle_update_user() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    login record;
begin
    select
        nullif(new.email, '') as email,
        nullif(ltrim(new.phone, '+'), '') as phone,
        new.raw_user_meta_data ->> 'full_name' as full_name,
        (new.raw_app_meta_data ->> 'organization_id')::integer as organization_id
    into login;
    update public.accounts a
    set email = login.email, phone = login.phone, full_name = login.full_name,
        organization_id = login.organization_id
    where a.supabase_id = new.id
        and (a.email, a.phone, a.full_name, a.organization_id)
            is distinct from (login.email, login.phone, login.full_name, login.organization_id);
    return null;
end
$$;

create trigger on_auth_user_created after insert on auth.users
    for each row execute function public.handle_new_user();
create trigger on_auth_user_updated after update on auth.users
    for each row execute function public.handle_update_user();
