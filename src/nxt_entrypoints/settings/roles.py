"""The roles of a process, and how they are written in tables, options and messages."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Role(enum.StrEnum):
    """One of the four runnable parts of the system."""

    API = "api"
    PROVISIONING = "provisioning"
    JOBS = "jobs"
    TELEMETRY = "telemetry"


ALL_ROLES: tuple[Role, ...] = tuple(Role)

_LETTERS = {"A": Role.API, "P": Role.PROVISIONING, "J": Role.JOBS, "T": Role.TELEMETRY}


def roles_of(letters: str) -> frozenset[Role]:
    """Roles behind the letters of the specification's tables, such as ``"AJT"``."""
    return frozenset(_LETTERS[letter] for letter in letters)


def in_order(roles: Iterable[Role]) -> tuple[Role, ...]:
    """The given roles without repetition, in their canonical order."""
    given = frozenset(roles)
    return tuple(role for role in ALL_ROLES if role in given)


def phrase(roles: Iterable[Role]) -> str:
    """``role api`` or ``roles api, jobs``, for messages."""
    names = [role.value for role in in_order(roles)]
    return f"role{'' if len(names) == 1 else 's'} {', '.join(names)}"


def parse_roles(text: str) -> tuple[Role, ...]:
    """Read a list such as ``api,jobs``; the order is kept, since the first role owns ``NXT_PORT`` [API-201].

    Raises:
        ValueError: For an empty list, an unknown role or a role named twice.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = [role.value for role in ALL_ROLES]
    if not names:
        raise ValueError(f"name at least one role ({', '.join(known)})")
    for name in names:
        if name not in known:
            raise ValueError(f'unknown role "{name}" (known: {", ".join(known)})')
    if len(set(names)) != len(names):
        raise ValueError("a role is named twice")
    return tuple(Role(name) for name in names)
