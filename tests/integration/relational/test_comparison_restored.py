"""A restored database is the same database, though PostgreSQL writes some of its expressions in other words [R59]."""

from __future__ import annotations

import psycopg

from nxt_entrypoints.database.comparison import check

_CHECKS = """
    select c.conname, c.conrelid::regclass::text, pg_get_constraintdef(c.oid) from pg_constraint c
    join pg_namespace n on n.oid = c.connamespace
    where c.contype = 'c' and n.nspname in ('public', 'internal') and c.conislocal
        and not exists (select from pg_inherits i where i.inhparent = c.conrelid)
"""


def test_r59_checks_that_were_dumped_and_restored_are_no_difference(relational_url: str) -> None:
    """[R44] A check that says something else still is one."""
    with psycopg.connect(relational_url, autocommit=True) as owner:
        for name, table, written in owner.execute(_CHECKS).fetchall():
            owner.execute(f'alter table {table} drop constraint "{name}", add constraint "{name}" {written}')
    assert [str(one) for one in check(relational_url, "relational")] == []
    with psycopg.connect(relational_url, autocommit=True) as owner:
        owner.execute(
            "alter table directive_batches drop constraint ck_directive_batches_time,"
            " add constraint ck_directive_batches_time check (hour between 0 and 22 and minute between 0 and 59)"
        )
    (found,) = check(relational_url, "relational")
    assert "ck_directive_batches_time" in str(found)
