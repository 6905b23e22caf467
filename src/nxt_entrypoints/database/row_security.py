"""Policies and rights of a database against the access table of direct clients [REL-174, REL-108, REL-109]."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from nxt_adapters.supabase.policies import RULES, VIEWS, Act, Grant, canonical, grants_of, policies_of

Finding = tuple[str, str, str]
"""Kind, name, sentence."""

_CLIENTS = ("anon", "authenticated")
_POLICIES = """
    select p.tablename, p.policyname, lower(p.cmd) as act, p.roles::text[] as roles, p.qual, p.with_check
    from pg_policies p
    where p.schemaname = 'public' and p.permissive = 'PERMISSIVE'
        and p.roles::text[] && array['public', 'anon', 'authenticated']
    order by p.tablename, p.policyname
"""
_RIGHTS = """
    with held as (
        select c.relname, a.grantee, a.privilege_type, '' as column
        from pg_class c cross join lateral aclexplode(c.relacl) a
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
        union all
        select c.relname, a.grantee, a.privilege_type, t.attname
        from pg_class c join pg_attribute t on t.attrelid = c.oid cross join lateral aclexplode(t.attacl) a
        where c.relnamespace = 'public'::regnamespace and not t.attisdropped
    )
    select h.relname, coalesce(r.rolname, 'public') as role, lower(h.privilege_type) as act, h.column
    from held h left join pg_roles r on r.oid = h.grantee
    where (h.grantee = 0 or r.rolname in ('anon', 'authenticated', 'service_role', 'nxt_app'))
        and not exists (
            select from pg_depend d where d.objid = to_regclass(format('public.%I', h.relname)) and d.deptype = 'e'
        )
"""
_CLOSED_TO_THE_PRODUCT = """
    select c.relname from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relrowsecurity
        and (
            select count(distinct r.role) from pg_policy p cross join lateral unnest(p.polroles) as r (role)
            where p.polrelid = c.oid and p.polcmd = '*' and p.polpermissive
                and r.role in ('nxt_app'::regrole, 'service_role'::regrole)
                and pg_get_expr(p.polqual, p.polrelid) = 'true'
        ) < 2
    order by c.relname
"""


def findings(connection: Connection) -> Iterator[Finding]:
    """Yield what clients may do more, or less, than the access table says. Roles that a deployment adds are its own."""
    yield from _policies(connection)
    yield from _rights(connection)
    for table in connection.scalars(text(_CLOSED_TO_THE_PRODUCT)):
        yield "policy", f"{table}.nxt_roles", "is missing: without BYPASSRLS the product would not see the table"


def _policies(connection: Connection) -> Iterator[Finding]:
    expected = {
        f"{table}.{policy.name}": _meaning(policy.act, policy.role, policy.using, policy.check)
        for table, accesses in RULES.items()
        for policy in policies_of(table, accesses)
    }
    found = {
        f"{row.tablename}.{row.policyname}": _meaning(row.act, ",".join(row.roles), row.qual, row.with_check)
        for row in connection.execute(text(_POLICIES))
    }
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            yield "policy", name, "is missing"
        elif name not in expected:
            yield "policy", name, "is not expected"
        elif found[name] != expected[name]:
            yield "policy", name, f"is {found[name]}, expected {expected[name]}"


def _meaning(act: str, role: str, using: str | None, check: str | None) -> str:
    return f"{act} to {role}: {canonical(using) or '-'} / {canonical(check) or '-'}"


def _rights(connection: Connection) -> Iterator[Finding]:
    expected = {str(grant) for table, accesses in RULES.items() for grant in grants_of(table, accesses)}
    expected |= {str(Grant(table=view, role="authenticated", act=Act.SELECT)) for view in VIEWS}
    found = set()
    for table, role, act, column in connection.execute(text(_RIGHTS)):
        is_client = role in _CLIENTS
        if is_client or role == "public" or act in ("truncate", "trigger", "references"):
            found.add(f"{act} on {table}{'.' if column else ''}{column} for {role}")
    for right in sorted(expected - found):
        yield "right", right, "is missing"
    for right in sorted(found - expected):
        yield "right", right, "is not expected"
