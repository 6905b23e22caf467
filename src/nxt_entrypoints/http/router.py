"""Finding the route of a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import unquote

import attrs

from nxt_entrypoints.http.routes import Dialect, Route


@attrs.define
class _Node:
    literals: dict[str, _Node] = attrs.field(factory=dict)
    parameter: _Node | None = None
    routes: dict[str, Route] = attrs.field(factory=dict)


class Router:
    """Matches paths segment by segment: literals in any case, before parameters; one trailing slash is ignored [API-2].

    Args:
        routes: Each method and path at most once.

    Raises:
        ValueError: Two routes coincide.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self._root = _Node()
        self._without_parameters: dict[tuple[str, str], Route] = {}
        for declared in routes:
            self._add(declared)

    def find(self, method: str, raw_path: str) -> tuple[Route, Mapping[str, str]] | None:
        """Find a route and the values of its path parameters; ``HEAD`` finds that of ``GET`` [API-3].

        Args:
            method: As received.
            raw_path: Percent-encoded, without query.
        """
        wanted = "GET" if method == "HEAD" else method
        whole = self._without_parameters.get((wanted, _trimmed(raw_path).lower()))
        if whole is not None:
            return whole, {}
        for node, values in _leaves(self._root, _segments(raw_path)):
            declared = node.routes.get(wanted)
            if declared is not None:
                return declared, dict(zip(declared.parameters, values, strict=True))
        return None

    def dialect_at(self, raw_path: str) -> Dialect | None:
        """Tell how a path answers, whatever the method; None: as all others."""
        routes = (route for node, _ in _leaves(self._root, _segments(raw_path)) for route in node.routes.values())
        return next((route.dialect for route in routes), None)

    def _add(self, declared: Route) -> None:
        node = self._root
        for segment in _segments(declared.path):
            if segment.startswith("{"):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(segment.lower(), _Node())
        if declared.method in node.routes:
            raise ValueError(f"{declared.method} {declared.path} is declared twice")
        node.routes[declared.method] = declared
        if not declared.parameters:
            self._without_parameters[declared.method, _trimmed(declared.path).lower()] = declared


def _trimmed(raw_path: str) -> str:
    return raw_path.removeprefix("/").removesuffix("/")


def _segments(raw_path: str) -> list[str]:
    segments = _trimmed(raw_path).split("/")
    return [unquote(segment) for segment in segments] if "%" in raw_path else segments


def _leaves(root: _Node, segments: Sequence[str]) -> Sequence[tuple[_Node, tuple[str, ...]]]:
    """Return where a path leads, with the values of its parameters; literals come before parameters."""
    reached: list[tuple[_Node, tuple[str, ...]]] = [(root, ())]
    for segment in segments:
        steps = []
        for node, values in reached:
            literal = node.literals.get(segment.lower())
            if literal is not None:
                steps.append((literal, values))
            if node.parameter is not None and segment:
                steps.append((node.parameter, (*values, segment)))
        reached = steps
    return reached
