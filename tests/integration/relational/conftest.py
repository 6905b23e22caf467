"""Tenants' rows in a migrated database, made once a file; each test's changes are undone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support import databases
from tests.support.databases import Unobtainable
from tests.support.tenant_world import World


@pytest.fixture(scope="module")
def shared_world() -> Iterator[World]:
    """The tenants' rows, on the embedded server; the login owns the database."""
    try:
        with databases.fresh_database(databases.embedded_server(), "relational") as url:
            made = World(url)
            yield made
            made.session.close()
    except Unobtainable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    """As shared_world, for one test's changes."""
    with shared_world.undone():
        yield shared_world
