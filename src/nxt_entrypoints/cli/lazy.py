"""A group of commands that imports a command's module only when that command is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import click
from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen
class Lazy:
    """Where a command is found, and its line in the list of commands.

    Attributes:
        target: ``module:attribute``.
        help: One line.
    """

    target: str
    help: str


class LazyGroup(click.Group):
    """A click group whose commands are named, not imported."""

    def __init__(self, *, lazy: Mapping[str, Lazy], **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type] # click checks them itself
        self._lazy = lazy

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """All names, in the order given."""
        return list(self._lazy)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Import one command."""
        if name not in self._lazy:
            return None
        module, _, attribute = self._lazy[name].target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self._lazy[name].target} is no command")
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from the lines given here."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self._lazy.items()])
