"""Properties of the relational database that no table definition shows: rights, row security, partitions, the feed."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

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
    select t.name
    from unnest(array['customers', 'dcus', 'devices', 'grids', 'meter_commissionings', 'meter_interactions',
        'metering_hardware_imports', 'meters', 'orders', 'wallets']) as t (name)
    where not exists (
        select from pg_publication_tables p
        where p.pubname = 'supabase_realtime' and p.schemaname = 'public' and p.tablename = t.name
    )
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


def findings(connection: Connection) -> Iterator[Finding]:
    """Yield what is not as it must be.

    Checked: nxt_app writes no table of the ledger and the routines are nxt_ledger's own [R14]; row security is on
    [REL-106], with the policies and rights of its table [REL-108, REL-109]; the change feed is complete [REL-112];
    partitions exist two months ahead, and the DEFAULT ones [R17].
    """
    yield from row_security.findings(connection)
    for kind, statement, sentence in (
        ("right", _LEDGER_WRITES, "the application may write the ledger"),
        ("routine", _ROUTINES, "does not run as nxt_ledger with a pinned search path"),
        ("row security", _OPEN_TABLES, "is off"),
        ("publication", _FEED, "is missing in supabase_realtime"),
        ("partition", _NO_DEFAULT, "has no DEFAULT partition"),
        ("partition", _MISSING_MONTHS, "is missing"),
    ):
        for name in connection.scalars(text(statement)):
            yield kind, str(name), sentence
