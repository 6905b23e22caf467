"""Runs the field tools as a shell would: lines in, lines out."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from nxt_entrypoints.cli import main as cli

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tool(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``nxt`` with text or bytes on standard input."""
    for name in ("NXT_STS_KEY", "NXT_STS_NEW_KEY", "NXT_STS_VENDING_KEY"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, stdin: str | bytes = b"") -> tuple[int, str, str]:
        content = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        status = cli.run(arguments)
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def lines(tool: Run) -> Callable[..., list[Any]]:
    """Run a line tool; return what it answered, and see that it ended well."""

    def run(*arguments: str, given: Sequence[str | dict[str, object]] | bytes) -> list[Any]:
        stdin = given if isinstance(given, bytes) else "\n".join(map(_line, given))
        status, out, err = tool(*arguments, stdin=stdin)
        assert (status, err) == (0, "")
        return [json.loads(line) for line in out.splitlines()]

    return run


def _line(given: str | dict[str, object]) -> str:
    return given if isinstance(given, str) else json.dumps(given)
