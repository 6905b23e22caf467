"""Who calls, as row security asks it: predicates over the token's claims."""

from __future__ import annotations

import json

import psycopg
import pytest
from tests.support.ledger import connect

from nxt_entrypoints.database.baseline_seed import Baseline, seed

PREDICATES = ("rls_get_member_org_id", "rls_check_if_nxt_member", "rls_check_if_lender")


def _answers(url: str, app_metadata: object) -> tuple[object, ...]:
    with connect(url) as session:
        claims = {"sub": "00000000-0000-4000-8000-000000000001", "app_metadata": app_metadata}
        session.execute("select set_config('request.jwt.claims', %s, false)", [json.dumps(claims)])
        session.execute("set role authenticated")
        row = session.execute(f"select {', '.join(f'{name}()' for name in PREDICATES)}").fetchone()
        assert row is not None
        return row


@pytest.mark.parametrize(
    ("app_metadata", "answers"),
    [
        ({"account_type": "MEMBER", "organization_id": 7}, (7, True, False)),
        ({"account_type": "MEMBER", "organization_id": 9}, (9, False, False)),
        ({"account_type": "MEMBER", "organization_id": 9, "organization_type": "LENDER"}, (9, False, True)),
        ({"account_type": "AGENT", "organization_id": 7}, (None, False, False)),
        ({"account_type": "CUSTOMER", "organization_id": 7}, (None, False, False)),
        ({"organization_id": 7}, (None, False, False)),
        ({"account_type": "MEMBER"}, (None, False, False)),
        ({"account_type": "MEMBER", "organization_id": "7; drop"}, (None, False, False)),
        ({"account_type": "MEMBER", "organization_id": 10**12}, (None, False, False)),
        (None, (None, False, False)),
        ([7], (None, False, False)),
    ],
)
def test_predicates_read_the_claims(relational_url: str, app_metadata: object, answers: tuple[object, ...]) -> None:
    """[REL-104] [REL-107] [API-208] Only members have an organization; the operator's id is the configured one."""
    seed(relational_url, Baseline(platform_organization_id=7))
    assert _answers(relational_url, app_metadata) == answers


def test_without_a_token_nobody_calls(relational_url: str) -> None:
    """[REL-104] A connection without claims is no member of anything."""
    seed(relational_url, Baseline())
    with connect(relational_url) as session:
        session.execute("set role authenticated")
        row = session.execute(f"select {', '.join(f'{name}()' for name in PREDICATES)}").fetchone()
    assert row == (None, False, False)


def test_before_seeding_nobody_is_staff_of_the_platform(relational_url: str) -> None:
    """[REL-10] The operator's id is configuration: no literal of the schema stands in for it."""
    assert _answers(relational_url, {"account_type": "MEMBER", "organization_id": 2}) == (2, False, False)


def test_the_operator_follows_the_configuration(relational_url: str) -> None:
    """[REL-10] Seeding again with another id changes what the predicate knows."""
    seed(relational_url, Baseline(platform_organization_id=7))
    seed(relational_url, Baseline(platform_organization_id=8, platform_organization_name="Another operator"))
    assert _answers(relational_url, {"account_type": "MEMBER", "organization_id": 7}) == (7, False, False)
    assert _answers(relational_url, {"account_type": "MEMBER", "organization_id": 8}) == (8, True, False)


@pytest.mark.parametrize("name", PREDICATES)
def test_only_signed_in_callers_may_ask(relational_url: str, name: str) -> None:
    """[REL-96] EXECUTE belongs to `authenticated` alone."""
    with connect(relational_url) as session:
        session.execute("set role anon")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(f"select {name}()")
