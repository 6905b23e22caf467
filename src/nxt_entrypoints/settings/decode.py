"""Turns plain JSON values into the attrs classes of the artifact, listing every problem with its JSON path.

The usual decoders stop at their first error; boot validation has to name all of them [API-198]. A value that
does not fit is replaced by its default, so that what depends on the rest can still be checked.
"""

from __future__ import annotations

import difflib
import enum
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

import attrs

from nxt_entrypoints.settings.fields import Key, Slot, slots_of
from nxt_entrypoints.settings.problems import Problem

_T = TypeVar("_T")

_MISFIT: Any = object()
"""Stands for a value that was reported."""

_WORDS: dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
_EDITOR_KEYS = frozenset({"$schema"})
"""Keys at the root that only an editor reads."""


def decode(cls: type[_T], plain: object) -> tuple[_T, tuple[Problem, ...]]:
    """Build ``cls`` from a decoded JSON document.

    Returns:
        The object, with defaults where values did not fit, and all problems in the order of the document.
    """
    run = _Run()
    built = run.value(cls, plain, "", Key())
    return (cls() if built is _MISFIT else built), tuple(run.problems)


class _Run:
    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def complain(self, path: str, what: str) -> Any:  # noqa: ANN401 - stands in for any type
        self.problems.append(Problem("config", path or "(document)", what))
        return _MISFIT

    def value(self, kind: Any, plain: object, path: str, declared: Key) -> Any:  # noqa: ANN401 - typed by kind
        """Decode one value of any supported type."""
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if kind is Any:
            value = plain
        elif origin in (types.UnionType, typing.Union):
            inner = next(a for a in arguments if a is not types.NoneType)
            value = None if plain is None else self.value(inner, plain, path, declared)
        elif origin is tuple:
            value = self._sequence(arguments[0], plain, path, declared)
        elif origin is Mapping:
            value = self._mapping(arguments[1], plain, path, declared)
        elif attrs.has(kind):
            value = self._object(kind, plain, path)
        elif issubclass(kind, enum.StrEnum):
            value = self._word(kind, plain, path)
        else:
            value = self._scalar(kind, plain, path, declared)
        return value

    def _object(self, cls: type, plain: object, path: str) -> Any:  # noqa: ANN401 - typed by cls
        if not isinstance(plain, dict):
            return self.complain(path, "has to be an object")
        slots = {slot.key.name: slot for slot in slots_of(cls)}
        self._unknown_keys(plain, slots, path)
        values = {}
        for name, slot in slots.items():
            value = self._slot(slot, plain, f"{path}.{name}" if path else name)
            if value is not _MISFIT:
                values[slot.attribute] = value
        return cls(**values)

    def _slot(self, slot: Slot, plain: dict[str, object], path: str) -> Any:  # noqa: ANN401 - typed by the slot
        if slot.key.name not in plain:
            return self.complain(path, "missing") if slot.key.required else _MISFIT
        value = self.value(slot.type, plain[slot.key.name], path, slot.key)
        if value is _MISFIT or value is None or slot.key.check is None:
            return value
        complaint = slot.key.check(value)
        return value if complaint is None else self.complain(path, complaint)

    def _unknown_keys(self, plain: dict[str, object], slots: Mapping[str, Slot], path: str) -> None:
        for name in plain:
            if name in slots or (not path and name in _EDITOR_KEYS):
                continue
            close = difflib.get_close_matches(name, slots, n=1, cutoff=0.5)
            hint = f' (did you mean "{close[0]}"?)' if close else f" (known: {', '.join(slots)})"
            self.complain(f"{path}.{name}" if path else name, f"unknown key{hint}")

    def _sequence(self, kind: Any, plain: object, path: str, declared: Key) -> Any:  # noqa: ANN401 - typed by kind
        if not isinstance(plain, list):
            return self.complain(path, "has to be a list")
        one = attrs.evolve(declared, check=None)
        values = [self.value(kind, item, f"{path}[{index}]", one) for index, item in enumerate(plain)]
        return tuple(value for value in values if value is not _MISFIT)

    def _mapping(self, kind: Any, plain: object, path: str, declared: Key) -> Any:  # noqa: ANN401 - typed by kind
        if not isinstance(plain, dict):
            return self.complain(path, "has to be an object")
        one = attrs.evolve(declared, check=None)
        long = {
            name: {declared.shorthand: item} if declared.shorthand and isinstance(item, str) else item
            for name, item in plain.items()
        }
        values = {name: self.value(kind, item, f"{path}.{name}", one) for name, item in long.items()}
        return {name: value for name, value in values.items() if value is not _MISFIT}

    def _word(self, kind: type[enum.StrEnum], plain: object, path: str) -> Any:  # noqa: ANN401 - typed by kind
        words = [item.value for item in kind]
        if plain not in words:
            return self.complain(path, f"has to be one of {', '.join(words)}")
        return kind(plain)

    def _scalar(self, kind: type, plain: object, path: str, declared: Key) -> Any:  # noqa: ANN401 - typed by kind
        accepted = (int, float) if kind is float else (kind,)
        if not isinstance(plain, accepted) or (isinstance(plain, bool) and kind is not bool):
            return self.complain(path, f"has to be {_WORDS[kind]}")
        if declared.choices is not None and plain not in declared.choices:
            return self.complain(path, f'unknown "{plain}" (known: {", ".join(declared.choices)})')
        if isinstance(plain, int | float) and not isinstance(plain, bool):
            return self._number(kind, plain, path, declared)
        return plain

    def _number(self, kind: type, number: float, path: str, declared: Key) -> Any:  # noqa: ANN401 - typed by kind
        if declared.minimum is not None and number < declared.minimum:
            return self.complain(path, f"has to be at least {declared.minimum:g}")
        if declared.maximum is not None and number > declared.maximum:
            return self.complain(path, f"has to be at most {declared.maximum:g}")
        return kind(number)
