-- Readers get every column of accounts but the codes that link chats, and some ask for all columns by a star. Schema
-- compat comes first in their search path, and has the column there with nothing in it [REL-108, REL-110].

create view compat.accounts with (security_invoker = true) as
    select a.id, a.created_at, a.full_name, a.email, a.phone, a.telegram_id, null::varchar as telegram_link_token,
        a.deleted_at, a.supabase_id, a.organization_id, a.telegram_link_token_expires_at
    from public.accounts a;

grant select on compat.accounts to service_role, nxt_app;

revoke execute on function internal.accept_client_values() from public;
