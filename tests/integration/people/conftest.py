"""User administration over memory, and over PostgreSQL with logins of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.support.people_world import MemoryPeople, PostgresPeople


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[MemoryPeople | PostgresPeople]:
    if request.param == "memory":
        made: MemoryPeople | PostgresPeople = MemoryPeople()
    else:
        made = PostgresPeople(request.getfixturevalue("relational_url"))
    await made.found()
    yield made
    await made.close()
