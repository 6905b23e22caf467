"""Roles start while what they need is away, and work once it is there."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest
from tests.support.running_roles import RunningRoles

from nxt_entrypoints.settings.roles import Role

NO_DATABASE = "postgresql://nxt:unused@127.0.0.1:9/nxt"


def get(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


@pytest.fixture(scope="module")
def without_stores() -> RunningRoles:
    """The roles that take part in device messaging; neither database nor Valkey nor ChirpStack answers."""
    return RunningRoles(NO_DATABASE, "redis://127.0.0.1:9", roles=(Role.API, Role.JOBS))


def test_nothing_that_is_away_keeps_a_role_from_starting(without_stores: RunningRoles) -> None:
    """[DM-172] [DM-189] [DM-170] It lives, says what it lacks, and shows no figures rather than old ones."""
    with without_stores as roles:
        for role in (Role.API, Role.JOBS):
            assert get(f"{roles.urls[role]}/healthz")[0] == 200
            status, body = get(f"{roles.urls[role]}/readyz")
            assert status == 503
            assert "primary_db" in json.loads(body)["failing"]
        assert get(f"{roles.urls[Role.JOBS]}/metrics")[0] == 503
        ingress = urllib.request.Request(
            f"{roles.urls[Role.API]}/chirpstack/calin?event=join", data=b"{}", method="POST"
        )
        ingress.add_header("X-API-KEY", "nxt_unknown")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(ingress, timeout=10)
        assert refused.value.code == 503
