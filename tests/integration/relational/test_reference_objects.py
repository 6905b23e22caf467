"""Functions, views and triggers under the names of the specification; nothing that is dead."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.support import databases
from tests.support.databases import Unobtainable

_BESIDE = Path(__file__).resolve().parents[3].parent / "shared" / "spec"
SPEC = Path(os.environ.get("NXT_SPEC_DIR", _BESIDE)) / "relational-schema.json"
if not SPEC.is_file():
    pytest.skip("the specification is not beside this checkout (NXT_SPEC_DIR)", allow_module_level=True)

FACTS: dict[str, Any] = json.loads(SPEC.read_text(encoding="utf-8"))
LEGACY = {"directives", "lorawan_directives", "directive_watchdog_sessions", "member_feature", "migrations"}
# Replaced by row locks [REL-95] and by one trigger that writes the outbox [REL-103].
REPLACED = {
    "lock_next_order_and_wallets",
    "notify_make_about_is_fs_on_updated",
    "notify_make_about_is_hps_on_updated",
    "notify_make_about_kwh_tariff_essential_service_updated",
}


@pytest.fixture(scope="module")
def session() -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    try:
        with (
            databases.fresh_database(databases.embedded_server(), "relational") as url,
            psycopg.connect(url, autocommit=True) as session,
        ):
            yield session
    except Unobtainable as reason:
        pytest.skip(str(reason))


def _names(session: psycopg.Connection[tuple[Any, ...]], query: str) -> set[str]:
    return {row[0] for row in session.execute(query)}  # type: ignore[arg-type]  # queries of this file


def test_live_functions_exist_and_dead_ones_do_not(session: psycopg.Connection[tuple[Any, ...]]) -> None:
    """[REL-187] [REL-95] [REL-123] By name; signatures of those that clients call."""
    found = _names(session, "select proname::text from pg_proc where pronamespace = 'public'::regnamespace")
    live = {name for name, facts in FACTS["functions"].items() if facts["status"] == "live"} - REPLACED
    assert live <= found
    assert (set(FACTS["functions"]) - live) & found == set()
    for name in ("get_grid_status", "find_energy_topup_revenue", "find_top_spenders"):
        row = session.execute("select pg_get_function_arguments(%s::regproc)", [f"public.{name}"]).fetchone()
        assert row == (FACTS["functions"][name]["args"],)


def test_triggers_keep_their_names(session: psycopg.Connection[tuple[Any, ...]]) -> None:
    """[REL-101] [REL-187] On the same tables, calling the same functions."""
    query = (
        "select concat_ws(' ', t.tgname, t.tgrelid::regclass, p.proname) from pg_trigger t"
        " join pg_proc p on p.oid = t.tgfoid where not t.tgisinternal"
    )
    expected = {
        f"{fact['name']} {fact['table']} {fact['function']}"
        for fact in FACTS["triggers"]
        if fact["table"] not in LEGACY and fact["function"] not in REPLACED
    }
    assert expected <= _names(session, query)


@pytest.mark.parametrize("view", sorted(FACTS["views"]))
def test_views_have_their_columns_in_order(session: psycopg.Connection[tuple[Any, ...]], view: str) -> None:
    """[REL-85] [REL-187] [REL-91] Names and order are the interface."""
    query = (
        "select attname::text from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped"
        " order by attnum"
    )
    columns = [row[0] for row in session.execute(query, [f"public.{view}"])]
    assert columns == [fact["name"] for fact in FACTS["views"][view]["columns"]]


def test_nothing_dead_is_built(session: psycopg.Connection[tuple[Any, ...]]) -> None:
    """[REL-123] [REL-187] No table and no enumeration of the former generations, and no read-only role [REL-4]."""
    dead = {name for name, facts in FACTS["tables"].items() if facts["status"] != "live"}
    relations = "select relname::text from pg_class where relnamespace = 'public'::regnamespace"
    assert dead & _names(session, relations) == set()
    kinds = {f"directive_{name}_enum" for name in ("direction", "error", "phase", "status", "type")}
    assert kinds & _names(session, "select typname::text from pg_type") == set()
    assert {"grafana_readonly", "make_readonly"} & _names(session, "select rolname::text from pg_roles") == set()
