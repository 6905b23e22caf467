"""The container hands out what the use cases ask for; fakes in other tests would hide it."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import attrs
import pytest

from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.container import Container
from nxt_entrypoints.demo.environment import DemoAddresses, new_secrets, role_environment
from nxt_entrypoints.roles.api import ContainerServices
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.settings.roles import Role

NOWHERE = "http://127.0.0.1:9"
STORES = {
    "relational_url": "postgresql://nxt:unused@127.0.0.1:9/nxt",
    "series_url": "postgresql://nxt:unused@127.0.0.1:9/series",
    "valkey_url": "redis://127.0.0.1:9",
    "mqtt_url": "mqtt://127.0.0.1:9",
    "chirpstack_grpc": "127.0.0.1:9",
}


@pytest.fixture
async def container() -> AsyncIterator[Container]:
    addresses = {field.name: NOWHERE for field in attrs.fields(DemoAddresses)} | STORES
    environment = role_environment(DemoAddresses(**addresses), new_secrets())
    made = Container(settings=load_settings({**environment, "NXT_PORT": "1"}, [Role.API]))
    yield made
    await made.engine().dispose()
    await made.http_session().close()


def beginnings(thing: object, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Find what use cases call to open their transaction, however deep they lie in other objects of ours."""
    if id(thing) in seen or not type(thing).__module__.startswith("nxt_"):
        return
    seen.add(id(thing))
    names = [*getattr(thing, "__dict__", {}), *(f.name for f in getattr(type(thing), "__attrs_attrs__", ()))]
    for name in names:
        part = getattr(thing, name)
        if name.lstrip("_") == "begin":
            yield type(thing).__name__, part
        else:
            yield from beginnings(part, seen)


async def test_every_use_case_of_the_api_can_begin_its_transaction(container: Container) -> None:
    services = ContainerServices(container)
    areas = [name for name, member in inspect.getmembers(ApiServices) if isinstance(member, property)]
    seen: set[int] = set()
    found = {}
    for area in areas:
        found.update(beginnings(getattr(services, area), seen))
    assert {"ReadGrids", "PlaceOrder", "InitialisePublicOrder"} <= found.keys(), "the walk sees use cases"
    opened = {name: type(begin()) for name, begin in found.items()}
    wrong = {name: kind for name, kind in opened.items() if not hasattr(kind, "__aenter__")}
    assert wrong == {}, "in a container of an area: begin=begin, without providers.Object"
