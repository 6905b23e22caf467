"""User administration over memory, over PostgreSQL with logins of its own, and with Supabase Auth's stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.support.people_world import MemoryPeople, PostgresPeople, with_stand_in


@pytest.fixture(params=["memory", "local", "gotrue"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[MemoryPeople | PostgresPeople]:
    if request.param == "memory":
        memory = MemoryPeople()
        await memory.found()
        yield memory
        return
    url = request.getfixturevalue("relational_url")
    if request.param == "gotrue":
        async with with_stand_in(url) as people:
            yield people
        return
    local = PostgresPeople(url)
    await local.found()
    yield local
    await local.close()
