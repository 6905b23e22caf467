"""Reading what migrations define out of their SQL."""

from __future__ import annotations

from nxt_entrypoints.database.definitions import definitions

FIRST = """
-- A remark; with a semicolon.
create function internal.half(n integer) returns integer language plpgsql as $$
begin
    -- create trigger not_this before insert on nowhere; it's text
    return n / 2;
end
$$;

create table orders (note text default 'a; b');
create constraint trigger "Check It" after insert on public.orders deferrable for each row execute function f();
create view public.open_orders with (security_invoker = true) as select id, ';' as mark from public.orders;
do $body$ begin execute 'create view internal.hidden as select 1'; end $body$;
"""
SECOND = """
create or replace function internal.half(n integer) returns integer language sql as $$ select n >> 1 $$;
drop view if exists public.open_orders;
create trigger a_name_that_is_longer_than_what_the_database_keeps_of_any_name_so_far before insert on public.orders
    for each row execute function f();
"""


def test_each_object_is_found_by_kind_and_name() -> None:
    """[REL-174] Text, remarks and bodies of functions hide nothing and show nothing."""
    assert set(definitions([FIRST])) == {
        ("function", "internal.half"),
        ("trigger", "public.orders.Check It"),
        ("view", "public.open_orders"),
    }


def test_later_definitions_replace_earlier_ones() -> None:
    """[REL-173] Forward only: what a later step drops or replaces does not stand."""
    standing = definitions([FIRST, SECOND])
    long_name = "a_name_that_is_longer_than_what_the_database_keeps_of_any_name_so_far"[:63]
    assert set(standing) == {
        ("function", "internal.half"),
        ("trigger", "public.orders.Check It"),
        ("trigger", f"public.orders.{long_name}"),
    }
    assert "select n >> 1" in standing["function", "internal.half"].statement


def test_a_statement_can_be_made_for_another_name_or_table() -> None:
    """[REL-174] The copy differs in nothing else."""
    standing = definitions([FIRST])
    assert standing["view", "public.open_orders"].renamed("pg_temp.v").startswith("create view pg_temp.v with (")
    trigger = standing["trigger", "public.orders.Check It"]
    assert trigger.on("pg_temp.o") == trigger.statement.replace("public.orders", "pg_temp.o")
