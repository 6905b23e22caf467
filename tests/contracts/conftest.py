"""What the contract suites share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.databases import Unobtainable
from tests.support.pglite import PgliteServer, running


@pytest.fixture(scope="session")
def pglite_server() -> Iterator[PgliteServer]:
    """A migrated TimescaleDB that takes one connection at a time."""
    try:
        with running() as server:
            yield server
    except Unobtainable as reason:
        pytest.skip(str(reason))
