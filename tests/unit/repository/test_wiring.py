"""The container hands out what the use cases ask for; fakes in other tests would hide it."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
from tests.support.wired import wired

from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.container import Container
from nxt_entrypoints.roles.api import ContainerServices


@pytest.fixture
async def container() -> AsyncIterator[Container]:
    async with wired() as made:
        yield made


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
    assert not_beginning(found) == {}, "in a container of an area: begin=begin, without providers.Object"


async def test_so_can_what_the_calendar_and_the_relay_run(container: Container) -> None:
    reports, announcements = container.reports(), container.announcements()
    used = [
        reports.classify_lifelines(),
        reports.generate_payouts(),
        reports.report_revenue(),
        reports.snapshot_business(),
        announcements.export_payout(),
        announcements.tell_bot(),
    ]
    found = dict(pair for thing in used for pair in beginnings(thing, set()))
    assert {"GeneratePayouts", "DraftPayout", "TellPayouts", "TellBot"} <= found.keys(), "the walk sees use cases"
    assert not_beginning(found) == {}


def not_beginning(found: Mapping[str, Any]) -> Mapping[str, type]:
    """Find the use cases whose transactions are none."""
    opened = {name: type(begin()) for name, begin in found.items()}
    return {name: kind for name, kind in opened.items() if not hasattr(kind, "__aenter__")}
