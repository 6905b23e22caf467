"""A database that its host set up: its own identity provider, rights for everybody, an owner without privileges."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from uuid import uuid4

import attrs
import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url
from tests.support.databases import empty_database, fresh_database

from nxt_entrypoints.database import migrate
from nxt_entrypoints.database.comparison import check

# As hosts do it: more columns than we know, functions of the provider's own, and every right on new objects of public.
PROVIDER = """
create schema auth authorization {provider};
set role {provider};
create table auth.users (
    instance_id uuid, id uuid primary key, aud varchar(255), role varchar(255), email varchar(255) unique,
    encrypted_password varchar(255), email_confirmed_at timestamptz, phone text unique default null,
    raw_app_meta_data jsonb, raw_user_meta_data jsonb, is_super_admin boolean, created_at timestamptz,
    updated_at timestamptz, banned_until timestamptz, is_anonymous boolean not null default false
);
create function auth.uid() returns uuid language sql stable as $$
    select nullif(current_setting('request.jwt.claims', true)::jsonb ->> 'sub', '')::uuid
$$;
create function auth.jwt() returns jsonb language sql stable as $$
    select coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{{}}')::jsonb
$$;
grant usage on schema auth to {owner}, anon, authenticated, service_role;
grant all on auth.users to {owner};
reset role;
create schema extensions authorization {owner};
set role {owner};
create publication supabase_realtime;
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
reset role;
"""


@attrs.frozen
class Hosted:
    """A hosted database: addresses for its owner and for the host itself, and the provider's role."""

    url: str
    host_url: str
    provider: str


@pytest.fixture
def hosted(any_postgres_server: str) -> Iterator[Hosted]:
    mark = secrets.token_hex(4)
    owner, provider = f"nxt_test_owner_{mark}", f"nxt_test_auth_{mark}"
    names = {"owner": sql.Identifier(owner), "provider": sql.Identifier(provider)}
    with empty_database(any_postgres_server) as url, psycopg.connect(any_postgres_server, autocommit=True) as server:
        database = make_url(url).database
        assert database is not None
        # The roles of the product belong to the cluster; whichever migration comes first makes them.
        with fresh_database(any_postgres_server, "relational"):
            pass
        server.execute(sql.SQL("create role {owner} login createrole").format(**names))
        server.execute(sql.SQL("create role {provider}").format(**names))
        try:
            grants = "grant anon, authenticated, service_role, nxt_app, nxt_ledger to {owner} with admin option"
            server.execute(sql.SQL(grants).format(**names))
            server.execute(sql.SQL("alter database {} owner to {owner}").format(sql.Identifier(database), **names))
            with psycopg.connect(url, autocommit=True) as host:
                host.execute(sql.SQL(PROVIDER).format(**names))
            yield Hosted(make_url(url).set(username=owner).render_as_string(hide_password=False), url, provider)
        finally:
            server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(database)))
            for name in names.values():
                server.execute(sql.SQL("drop owned by {}").format(name))
                server.execute(sql.SQL("drop role {}").format(name))


def test_its_owner_migrates_it_without_a_difference(hosted: Hosted) -> None:
    """[REL-1] [REL-172] [R45] [REL-174] [REL-186] The provider's schema stays as it is; again: nothing to do."""
    assert migrate.upgrade(hosted.url, "relational")
    assert check(hosted.url, "relational") == []
    assert migrate.upgrade(hosted.url, "relational") == []
    with psycopg.connect(hosted.host_url) as host:
        query = "select count(*) from pg_attribute where attrelid = 'auth.users'::regclass and attnum > 0"
        assert host.execute(query).fetchone() == (15,)
        query = "select nspowner::regrole::text from pg_namespace where nspname = 'auth'"
        assert host.execute(query).fetchone() == (hosted.provider,)
        # It takes a superuser to make the extension, also where the package is installed.
        query = "select data_type from information_schema.columns where column_name = 'location_geom'"
        assert set(host.execute(query).fetchall()) == {("jsonb",)}


def test_sign_ups_have_accounts_and_clients_no_more_than_theirs(hosted: Hosted) -> None:
    """[REL-97] [REL-98] [REL-5] [REL-96] [REL-109] The provider's role writes logins and knows no accounts."""
    migrate.upgrade(hosted.url, "relational")
    login = uuid4()
    with psycopg.connect(hosted.host_url, autocommit=True) as host:
        host.execute("insert into organizations (name) values ('Oke Agbede Power')")
        host.execute(sql.SQL("set role {}").format(sql.Identifier(hosted.provider)))
        host.execute(
            "insert into auth.users (id, email, raw_user_meta_data) values (%s, 'a@example.org', %s)",
            [login, '{"full_name": "A"}'],
        )
        host.execute("update auth.users set raw_app_meta_data = '{\"organization_id\": 1}', phone = '2348012345678'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            host.execute("select * from accounts")
        host.execute("reset role")
        query = "select supabase_id, email, phone, full_name, organization_id from accounts"
        assert host.execute(query).fetchall() == [(login, "a@example.org", "2348012345678", "A", 1)]
        held = (
            "select relname from pg_class where relnamespace = 'public'::regnamespace and ("
            " relkind = 'r' and has_table_privilege('anon', oid, 'truncate, update, delete')"
            " or relkind = 'S' and has_sequence_privilege('authenticated', oid, 'usage, update'))"
        )
        assert host.execute(held).fetchall() == []
        for statement in ("select handle_new_user()", "select get_grid_status(1)", "select * from api_keys"):
            host.execute("set role anon")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                host.execute(statement)  # type: ignore[arg-type]  # statements of this test
            host.execute("reset role")
