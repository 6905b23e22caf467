"""Properties of the relational database that no table definition shows: rights, row security, partitions, the feed."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, MetaData, text

from nxt_adapters.supabase.tables import GeoJson
from nxt_entrypoints.database import row_security
from nxt_entrypoints.database.row_security import Finding

_LEDGER_WRITES = """
    select t.name || ' ' || lower(p.privilege)
    from unnest(array['ledger_accounts', 'ledger_entries', 'ledger_postings', 'ledger_hot_deltas']) as t (name)
    cross join unnest(array['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) as p (privilege)
    where has_table_privilege('nxt_app', 'internal.' || t.name, p.privilege)
"""
_ROUTINES = """
    select p.oid::regprocedure::text from pg_proc p
    where p.pronamespace = 'internal'::regnamespace
        and p.proname in ('post_entries', 'refresh_hot_balances', 'ensure_ledger_account', 'open_wallet_account')
        and (not p.prosecdef or p.proowner <> 'nxt_ledger'::regrole
            or not coalesce(p.proconfig::text like '%search_path=pg_catalog, pg_temp%', false))
"""
_OPEN_TABLES = """
    select c.relname from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relrowsecurity
        and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
"""
_FEED = """
    with expected (name) as (
        select unnest(array['customers', 'dcus', 'device_logs', 'devices', 'grids', 'meter_commissionings',
            'meter_interactions', 'metering_hardware_imports', 'meters', 'orders', 'wallets'])
    ), found as (
        select tablename::text as name from pg_publication_tables
        where pubname = 'supabase_realtime' and schemaname = 'public'
    )
    select coalesce(e.name, f.name || ' (not expected)') from expected e full join found f on f.name = e.name
    where e.name is null or f.name is null
"""
_NO_DEFAULT = """
    select c.oid::regclass::text from pg_partitioned_table p join pg_class c on c.oid = p.partrelid
    where p.partdefid = 0 and c.relnamespace in (
        'public'::regnamespace, 'internal'::regnamespace, 'messaging'::regnamespace
    )
"""
# One month of slack: the step that makes partitions may not have run yet in a new month.
_MISSING_MONTHS = """
    select c.oid::regclass::text || ' ' || to_char(m.month, 'YYYY-MM')
    from pg_partitioned_table p
    join pg_class c on c.oid = p.partrelid
    cross join generate_series(
        date_trunc('month', now() at time zone 'UTC'), now() at time zone 'UTC' + interval '2 months', '1 month'
    ) as m (month)
    where c.relnamespace in ('public'::regnamespace, 'internal'::regnamespace, 'messaging'::regnamespace)
        and not exists (
            select from pg_inherits i join pg_class child on child.oid = i.inhrelid
            where i.inhparent = c.oid and child.relname = c.relname || '_' || to_char(m.month, 'YYYY_MM')
        )
"""
# The views that repeat a table with floats for its decimals [REL-126].
_COMPAT = """
    select 'compat.' || t.name || '.' || a.attname
    from unnest(array['orders', 'meters', 'grids', 'wallets', 'transactions']) as t (name)
    join pg_attribute a on a.attrelid = to_regclass('public.' || t.name) and a.attnum > 0 and not a.attisdropped
    where not exists (
        select from pg_attribute v
        where v.attrelid = to_regclass('compat.' || t.name) and v.attname = a.attname
            and v.atttypid = case a.atttypid when 'numeric'::regtype then 'float8'::regtype else a.atttypid end
    )
"""
_DEFINERS_VIEWS = """
    select c.oid::regclass::text from pg_class c
    where c.relkind = 'v' and c.relnamespace in ('public'::regnamespace, to_regnamespace('compat'))
        and not coalesce(c.reloptions @> array['security_invoker=true'], false)
        and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
"""
# Trigger functions need no right to run; what clients call is listed [REL-96].
_EXECUTABLE = """
    select p.oid::regprocedure::text || ' for ' || r.name
    from pg_proc p cross join unnest(array['anon', 'authenticated']) as r (name)
    where p.pronamespace = 'public'::regnamespace and has_function_privilege(r.name, p.oid, 'execute')
        and not (r.name = 'authenticated' and p.proname in (
            'get_grid_status', 'find_energy_topup_revenue', 'find_top_spenders', 'rls_get_member_org_id',
            'rls_check_if_nxt_member', 'rls_check_if_lender'
        ))
        and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
"""
# An identity column needs no right on its sequence.
_COUNTERS = """
    select c.oid::regclass::text || ' for ' || r.name
    from pg_class c cross join unnest(array['anon', 'authenticated']) as r (name)
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'S'
        and has_sequence_privilege(r.name, c.oid, 'usage, update')
"""
_UNPINNED = """
    select p.oid::regprocedure::text from pg_proc p
    where p.prosecdef and p.pronamespace in ('public'::regnamespace, 'internal'::regnamespace)
        and not coalesce(p.proconfig::text like '%search_path=%', false)
        and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
"""
# The names of PostGIS types carry the schema of the extension.
_PLACES = """
    select c.relname, a.attname, regexp_replace(format_type(a.atttypid, a.atttypmod), '^.*\\.', ''), exists (
        select from pg_constraint k where k.conrelid = c.oid and k.conname = 'ck_' || c.relname || '_' || a.attname
    )
    from pg_class c join pg_attribute a on a.attrelid = c.oid
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attname like '%\\_geom'
"""


def findings(connection: Connection, metadata: MetaData) -> Iterator[Finding]:
    """Yield what is not as it must be.

    Checked: nxt_app writes no table of the ledger and the routines are nxt_ledger's own [R14]; row security is on
    [REL-106], with the policies and rights of its table [REL-108, REL-109], also below views [REL-85]; clients call no
    function but theirs [REL-96]; the change feed is complete [REL-112]; partitions exist two months ahead, and the
    DEFAULT ones [R17].
    """
    yield from row_security.findings(connection)
    for kind, statement, sentence in (
        ("right", _LEDGER_WRITES, "the application may write the ledger"),
        ("routine", _ROUTINES, "does not run as nxt_ledger with a pinned search path"),
        ("routine", _UNPINNED, "runs as its owner without a pinned search path"),
        ("right", _EXECUTABLE, "may be called"),
        ("right", _COUNTERS, "may be counted up"),
        ("row security", _OPEN_TABLES, "is off"),
        ("row security", _DEFINERS_VIEWS, "does not run with the caller's rights"),
        ("view", _COMPAT, "is missing, or no float"),
        ("publication", _FEED, "differs in supabase_realtime"),
        ("partition", _NO_DEFAULT, "has no DEFAULT partition"),
        ("partition", _MISSING_MONTHS, "is missing"),
    ):
        for name in connection.scalars(text(statement)):
            yield kind, str(name), sentence
    yield from _places(connection, metadata)


def _places(connection: Connection, metadata: MetaData) -> Iterator[Finding]:
    kinds = {
        (table.name, column.name): column.type.kind
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, GeoJson)
    }
    for table, column, found, is_checked in connection.execute(text(_PLACES)):
        kind = kinds.get((table, column))
        if kind and found not in ("jsonb", f"geometry({kind},4326)"):
            yield "type", f"{table}.{column}", f"is {found}, expected jsonb or geometry({kind},4326)"
        elif kind and found == "jsonb" and not is_checked:
            yield "check", f"{table}.ck_{table}_{column}", "is missing"
