"""The proofs that go over all routes know every route."""

from __future__ import annotations

from tests.support.route_samples import SAMPLES

from nxt_entrypoints.http.catalogue import routes_by_role


def test_every_route_of_the_api_has_a_sample_call() -> None:
    """The matrix of callers and routes can't leave one out."""
    declared = {f"{route.method} {route.path}" for route in routes_by_role()["api"]}
    assert sorted(declared - set(SAMPLES)) == [], "add a sample call of each to tests/support/route_samples.py"
    assert sorted(set(SAMPLES) - declared) == [], "these routes are gone: take their samples out"
