-- Roles, schemas and the identity provider's stub, each only where it is missing [R14, R45, REL-172].
-- Roles belong to the cluster: another database's migration may make them in the same instant, and is waited for.

set local lock_timeout = '60s';

do $$
declare
    role_name text;
begin
    foreach role_name in array array['anon', 'authenticated', 'service_role', 'nxt_app', 'nxt_ledger'] loop
        if not exists (select from pg_roles where rolname = role_name) then
            begin
                execute format('create role %I nologin', role_name);
                -- Row security hides statistics from the planner, whatever its policy says: with `using (true)` it
                -- reads whole tables for a comparison of enums.
                if role_name in ('service_role', 'nxt_app', 'nxt_ledger') then
                    execute format('alter role %I bypassrls', role_name);
                end if;
            exception
                when duplicate_object or unique_violation or internal_error then
                    raise notice 'role % was made by another migration', role_name;
                when insufficient_privilege then
                    if not exists (select from pg_roles where rolname = role_name) then
                        if role_name not in ('service_role', 'nxt_app', 'nxt_ledger') then
                            raise;
                        end if;
                        -- Row security lets it pass by a policy where it can't be told to bypass.
                        execute format('create role %I nologin', role_name);
                    end if;
            end;
        end if;
    end loop;
end
$$;

-- The login that migrates hands functions to nxt_ledger, and the roles of the product run as nxt_app.
do $$
declare
    role_name text;
begin
    if (select rolsuper from pg_roles where rolname = current_user) then
        return;
    end if;
    foreach role_name in array array['nxt_app', 'nxt_ledger'] loop
        begin
            execute format('grant %I to current_user', role_name);
        exception
            when unique_violation or internal_error then
                raise notice 'membership in % was granted by another migration', role_name;
        end;
    end loop;
end
$$;

set local lock_timeout = '5s';

create schema if not exists internal;
create schema if not exists messaging;

do $$
begin
    if to_regnamespace('auth') is null then
        create schema auth;
    end if;
    if to_regclass('auth.users') is null then
        create table auth.users (
            id uuid primary key default gen_random_uuid(),
            email text unique,
            phone text unique,
            encrypted_password text,
            raw_user_meta_data jsonb not null default '{}',
            raw_app_meta_data jsonb not null default '{}',
            banned_until timestamptz,
            last_sign_in_at timestamptz,
            created_at timestamptz not null default now(),
            updated_at timestamptz not null default now()
        );
        grant usage on schema auth to nxt_app;
        grant select, insert, update, delete on auth.users to nxt_app;
    end if;
    if to_regprocedure('auth.jwt()') is null then
        create function auth.jwt() returns jsonb language sql stable as $body$
            select nullif(current_setting('request.jwt.claims', true), '')::jsonb
        $body$;
    end if;
    if to_regprocedure('auth.uid()') is null then
        create function auth.uid() returns uuid language sql stable as $body$
            select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid
        $body$;
    end if;
end
$$;

-- Optional extensions [R45]: one that can't be installed is done without.
do $$
begin
    if to_regnamespace('extensions') is null then
        create schema extensions;
    end if;
    if not exists (select from pg_extension where extname = 'pg_trgm')
        and exists (select from pg_available_extensions where name = 'pg_trgm') then
        begin
            create extension pg_trgm schema extensions;
        exception
            when insufficient_privilege then
                raise notice 'pg_trgm may not be installed by this login; names are searched without an index';
        end;
    end if;
    grant usage on schema extensions to public;
end
$$;
