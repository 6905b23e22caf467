"""The access table of direct clients keeps its own rules."""

from __future__ import annotations

import re

import pytest

from nxt_adapters.supabase.policies import RULES, Act, Caller, Policy, canonical, grants_of, policies_of
from nxt_adapters.supabase.policies.readers import PRESETS
from nxt_adapters.supabase.tables import metadata

POLICIES = [policy for table, rules in RULES.items() for policy in policies_of(table, rules)]
CALL = re.compile(r"\b(?:public|internal)\.\w+\(")


@pytest.mark.parametrize("table", RULES)
def test_rules_name_what_there_is(table: str) -> None:
    """[REL-106] Tables of schema public, their columns, and names that no other policy of the table has."""
    columns = metadata.tables[table].columns
    assert metadata.tables[table].schema is None
    assert {grant.column for grant in grants_of(table, RULES[table])} - {""} <= set(columns.keys())
    assert {rule.key for rule in RULES[table] if rule.caller in (Caller.PLATFORM, Caller.LENDER)} <= set(columns.keys())
    names = [policy.name for policy in policies_of(table, RULES[table])]
    assert len(names) == len(set(names))
    assert max(map(len, names)) < 64


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: f"{policy.table} {policy.name}")
def test_predicates_stand_in_scalar_sub_queries(policy: Policy) -> None:
    """[REL-105] So that they are asked once for a statement; and a condition never has an `or`."""
    for condition in (policy.using, policy.check):
        text = condition or ""
        outside = re.sub(r"\(select (?:case when )?(?:public|internal)\.\w+\(\)", "", text)
        assert CALL.findall(outside) == [], text
        assert not re.search(r"\bor\b", text), text


def test_anonymous_callers_reach_the_form_and_nothing_else() -> None:
    """[REL-109] They keep no right but on site submissions."""
    found = {table: [rule for rule in rules if rule.caller is Caller.ANONYMOUS] for table, rules in RULES.items()}
    assert [table for table, rules in found.items() if rules] == ["pd_site_submissions"]
    assert {act for rule in found["pd_site_submissions"] for act in rule.acts} == {Act.SELECT, Act.INSERT}


def test_readers_see_no_table_that_holds_secrets() -> None:
    """[REL-108] [REL-120] Nor one that does not exist."""
    named = {table for tables in PRESETS.values() for table in tables}
    assert named <= {table.name for table in metadata.tables.values() if table.schema is None} - {"api_keys"}


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        (
            "id = (select public.rls_get_member_org_id())",
            "(id = ( SELECT rls_get_member_org_id() AS rls_get_member_org_id))",
        ),
        ("order_status = 'IGNORED'", "(order_status = 'IGNORED'::order_status_enum)"),
        ("not hidden and balance = 0", "((NOT hidden) AND (balance = (0)::numeric))"),
        (
            "id <= (select case when f() then 9223372036854775807 else null end)",
            """(id <= ( SELECT CASE WHEN f() THEN '9223372036854775807'::bigint ELSE NULL::bigint END AS "case"))""",
        ),
        (
            "id = any ((select internal.ids())::integer[])",
            "(id = ANY (( SELECT internal.ids() AS ids)::integer[]))",
        ),
    ],
)
def test_what_postgresql_prints_equals_what_was_written(written: str, printed: str) -> None:
    """[REL-174] The comparison of policies sees through names, casts and parentheses that PostgreSQL adds."""
    assert canonical(written) == canonical(printed)
    assert canonical(f"{written} and x") != canonical(printed)
    assert canonical(f"{written} or true") != canonical(printed)
    assert canonical(None) is None
