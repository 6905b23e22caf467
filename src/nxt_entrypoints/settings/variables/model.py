"""What is declared about one environment variable."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from attrs import field, frozen

from nxt_entrypoints.settings.kinds import Text
from nxt_entrypoints.settings.roles import ALL_ROLES, roles_of

if TYPE_CHECKING:
    from nxt_entrypoints.settings.kinds import Kind
    from nxt_entrypoints.settings.roles import Role


class Need(enum.StrEnum):
    """When a variable has to be set [API-204]."""

    BASE = "base"
    SPLIT = "base if roles are split"
    TIER = "tier"
    OPTIONAL = "opt"
    MIGRATION = "migration tool"
    IGNORED = "—"


@frozen(kw_only=True)
class Variable:
    """One environment variable of the system.

    Attributes:
        name: Its name.
        roles: Roles that read it.
        need: When it has to be set.
        meaning: One line for people.
        kind: How its text is read.
        default: Text that stands for an unset variable, if any.
        aliases: Other names that mean the same; two that are set and differ are a problem.
        secret: Whether its value may never be shown.
        instead: Names of which any one makes this one unnecessary.
    """

    name: str
    roles: frozenset[Role]
    need: Need
    meaning: str
    kind: Kind = field(factory=Text)
    default: str | None = None
    aliases: tuple[str, ...] = ()
    secret: bool = False
    instead: tuple[str, ...] = ()


def variable(
    name: str,
    letters: str,
    need: Need,
    meaning: str,
    kind: Kind | None = None,
    *,
    default: str | None = None,
    aliases: tuple[str, ...] = (),
    secret: bool = False,
    instead: tuple[str, ...] = (),
) -> Variable:
    """Declare a variable as a row of a table; ``letters`` are roles (``"AJT"``, or ``"*"`` for all)."""
    return Variable(
        name=name,
        roles=frozenset(ALL_ROLES) if letters == "*" else roles_of(letters),
        need=need,
        meaning=meaning,
        kind=kind if kind is not None else Text(keep_blanks=secret and "PASSWORD" in name),
        default=default,
        aliases=aliases,
        secret=secret,
        instead=instead,
    )
