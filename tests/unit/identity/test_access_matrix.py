"""The access matrix as data: complete, and what the routes themselves go by."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import pytest
from tests.support.identity_world import ADMIN, AGENT, CUSTOMER, MEMBER, NOBODY

from nxt_domain.identity.access import ACCESS, Reach
from nxt_domain.identity.model import Account, ApiKey, Principal, TokenClaims
from nxt_domain.identity.rules import principal_of_key, principal_of_user
from nxt_domain.identity.scope import PLATFORM, Scope, scope_of
from nxt_entrypoints.http.catalogue import routes_by_role
from nxt_entrypoints.http.routes import Guard

AT = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)
KEY = ApiKey(id=1, account_id=1, created_at=AT)
DECLARED = {f"{route.method} {route.path}": route for route in routes_by_role()["api"]}


def user(account: Account) -> Principal:
    claims = TokenClaims(subject=None, account_id=account.id, email=None, full_name=None, expires_at=AT)
    return principal_of_user(account, claims, "token", admin_organization_id=2)


def key(account: Account) -> Principal:
    return principal_of_key(account, KEY, admin_organization_id=2)


@pytest.mark.parametrize("name", DECLARED)
def test_each_route_goes_by_its_row(name: str) -> None:
    """[API-42] [API-68] The guard says who is asked for a credential, the row who is admitted."""
    declared, row = DECLARED[name], ACCESS[name]
    assert declared.access is row
    assert (declared.guard in {Guard.PUBLIC, Guard.VENDOR}) is row.anonymous


@pytest.mark.parametrize("name", ACCESS)
def test_the_platform_reaches_everything(name: str) -> None:
    """[API-63]"""
    assert ACCESS[name].reach_of(user(ADMIN)) is Reach.ALL
    assert ACCESS[name].reach_of(key(ADMIN)) is Reach.ALL


@pytest.mark.parametrize(
    ("name", "reaches"),
    [
        ("POST /orders", (Reach.SELF, Reach.SELF, Reach.OWN, Reach.OWN)),
        ("POST /chirpstack/calin", (Reach.NONE, Reach.NONE, Reach.NONE, Reach.ALL)),
        ("PUT /grids", (Reach.NONE, Reach.NONE, Reach.NONE, Reach.NONE)),
        ("POST /data-analytics/grid/{gridId}/top-consumers", (Reach.NONE, Reach.OWN, Reach.OWN, Reach.OWN)),
        ("POST /user-admin/create-agent", (Reach.NONE, Reach.NONE, Reach.OWN, Reach.OWN)),
        ("POST /meter-interactions/create-one", (Reach.SELF, Reach.SELF, Reach.OWN, Reach.OWN)),
        ("GET /auth/grafana-token", (Reach.ALL, Reach.ALL, Reach.ALL, Reach.ALL)),
    ],
)
def test_rows_of_the_matrix(name: str, reaches: tuple[Reach, ...]) -> None:
    """[API-68] Customer, agent, member, key, as the specification prints them."""
    callers = (user(CUSTOMER), user(AGENT), user(MEMBER), key(MEMBER))
    assert tuple(ACCESS[name].reach_of(caller) for caller in callers) == reaches


def test_an_account_without_a_role_reaches_the_charting_token_alone() -> None:
    """[API-48]"""
    admitting = [name for name, row in ACCESS.items() if row.admits(user(NOBODY)) and not row.anonymous]
    assert admitting == ["GET /auth/grafana-token"]


def test_a_scope_is_the_callers_tenant() -> None:
    """[API-64] [API-63]"""
    assert scope_of(user(ADMIN)) == PLATFORM
    assert scope_of(user(MEMBER)) == Scope(organization_id=7)
    nobody = scope_of(user(attrs.evolve(MEMBER, organization_id=None)))
    assert [scope.admits(None) for scope in (PLATFORM, Scope(organization_id=7), nobody)] == [True, False, False]
    assert [scope.admits(7) for scope in (PLATFORM, Scope(organization_id=7), nobody)] == [True, True, False]
    assert not Scope(organization_id=7).admits(9)
