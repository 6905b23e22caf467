"""Finding the route of a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from nxt_entrypoints.http.router import Router
from nxt_entrypoints.http.routes import Guard, Route, route


@attrs.frozen(kw_only=True)
class Named:
    name: str


@attrs.frozen(kw_only=True)
class TwoNames:
    kind: str
    name: str


def declare(method: str, path: str) -> Route:
    declarator: Callable[[Any], Route] = route(method, path, guard=Guard.PUBLIC, summary="", tags=())

    async def bare() -> None: ...
    async def one(path: Named) -> None: ...
    async def two(path: TwoNames) -> None: ...

    return declarator([bare, one, two][path.count("{")])


ROUTER = Router(
    [
        declare("GET", "/"),
        declare("GET", "/meters/search"),
        declare("POST", "/meters/{name}/unassign"),
        declare("POST", "/meters/insert-from-inventory"),
        declare("GET", "/meters/{name}"),
        declare("PUT", "/meters/{name}"),
        declare("DELETE", "/user-admin/member/{name}"),
        declare("GET", "/{kind}/{name}/Stats"),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "template", "values"),
    [
        ("GET", "/", "/", {}),
        ("GET", "/meters/search", "/meters/search", {}),
        ("GET", "/METERS/Search/", "/meters/search", {}),
        ("DELETE", "/User-Admin/MEMBER/aB7/", "/user-admin/member/{name}", {"name": "aB7"}),
        ("GET", "/meters/Searching", "/meters/{name}", {"name": "Searching"}),
        ("PUT", "/meters/search", "/meters/{name}", {"name": "search"}),
        ("HEAD", "/meters/search", "/meters/search", {}),
        ("GET", "/meters/a%2Fb%20c", "/meters/{name}", {"name": "a/b c"}),
        ("GET", "/meters/x/stats", "/{kind}/{name}/Stats", {"kind": "meters", "name": "x"}),
        ("GET", "/m%65ters/search", "/meters/search", {}),
    ],
)
def test_paths_find_their_route(method: str, path: str, template: str, values: dict[str, str]) -> None:
    """[API-2] [API-3] [API-72] Literals in any case, before parameters, whose values keep theirs."""
    found = ROUTER.find(method, path)
    assert found is not None
    assert (found[0].path, found[1]) == (template, values)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nope"),
        ("POST", "/meters/search"),
        ("PATCH", "/meters/x"),
        ("GET", "/meters"),
        ("GET", "/meters//"),
        ("GET", "/meters/x//"),
        ("GET", "/meters/x/unassign"),
        ("GET", "//meters/search"),
        ("HEAD", "/meters/x/unassign"),
        ("OPTIONS", "/meters/search"),
    ],
)
def test_all_else_finds_none(method: str, path: str) -> None:
    """[API-17] [API-19]"""
    assert ROUTER.find(method, path) is None


def test_two_routes_must_not_coincide() -> None:
    with pytest.raises(ValueError, match="declared twice"):
        Router([declare("GET", "/Meters/search"), declare("GET", "/meters/SEARCH")])


def test_a_declaration_that_cannot_work_is_refused_at_once() -> None:
    """A handler states what it needs; what the frame can't give is a mistake of the declaration."""

    async def unknown(something: str) -> None: ...
    async def without_path() -> None: ...
    async def with_body(body: Named) -> None: ...
    async def with_caller(caller: object) -> None: ...

    def on(method: str, path: str, guard: Guard = Guard.PUBLIC) -> Callable[[Any], Route]:
        return route(method, path, guard=guard, summary="", tags=())

    with pytest.raises(TypeError, match="can't supply something"):
        on("GET", "/a")(unknown)
    with pytest.raises(TypeError, match="path parameters"):
        on("GET", "/a/{name}")(without_path)
    with pytest.raises(TypeError, match="no body"):
        on("GET", "/a")(with_body)
    with pytest.raises(TypeError, match="no caller"):
        on("GET", "/a", Guard.VENDOR)(with_caller)
