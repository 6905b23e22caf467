"""How commands speak: facts on standard output, as JSON or as lines; remarks on standard error."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def emit(facts: Any, *, as_json: bool, lines: Callable[[], Iterable[str]]) -> None:  # noqa: ANN401 - any JSON
    """Print facts: as one JSON document, or as the lines for people."""
    if as_json:
        click.echo(json.dumps(facts, indent=2, default=str, ensure_ascii=False))
        return
    for line in lines():
        click.echo(line)


def remark(text: str) -> None:
    """Say something that is not part of the answer."""
    click.echo(text, err=True)


def mark(*, ok: bool) -> str:
    """A word for good or bad, coloured at a terminal."""
    return click.style("ok  ", fg="green") if ok else click.style("FAIL", fg="red", bold=True)


def is_terminal() -> bool:
    """Whether a person reads standard output."""
    return sys.stdout.isatty()


def examples(*lines: str) -> str:
    """The end of a help text: examples, each on its own line."""
    return "\n".join(("\b", f"Example{'s' if len(lines) > 1 else ''}:", *(f"  {line}" for line in lines)))
