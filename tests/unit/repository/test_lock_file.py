"""The lock file pins everything that the extras name, by version alone."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from importlib.metadata import distributions
from types import ModuleType

import pytest
from packaging.specifiers import SpecifierSet
from tests.unit.repository.repository_files import ROOT

LINES = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def normal(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None
    return re.sub(r"[-_.]+", "-", match.group()).lower()


def test_each_line_is_a_name_and_a_version() -> None:
    """No address, no option, no hash of somebody's mirror."""
    assert [line for line in LINES if not re.fullmatch(r"[a-z0-9-]+==[A-Za-z0-9.+!]+", line)] == []
    assert len(LINES) > 100
    assert sorted(LINES) == LINES


def test_everything_that_the_project_asks_for_is_pinned() -> None:
    pinned = {line.partition("==")[0] for line in LINES}
    extras = PROJECT["optional-dependencies"]
    asked = {normal(item) for group in (PROJECT["dependencies"], *extras.values()) for item in group}
    assert asked - {"nxt-backend"} - pinned == set()


def test_nothing_is_pinned_twice() -> None:
    names = [line.partition("==")[0] for line in LINES]
    assert len(names) == len(set(names))


def test_pinned_versions_run_on_the_oldest_python_that_we_name() -> None:
    """Down to its first patch: stable distributions stay at an early one. Those count that are installed here."""
    oldest = f"{PROJECT['requires-python'].removeprefix('>=')}.0"
    installed = {
        f"{normal(found.name)}=={found.version}": SpecifierSet(found.metadata["Requires-Python"] or "")
        for found in distributions()
    }
    wanted = {line: installed[line] for line in LINES if line in installed}
    assert len(wanted) > 50
    assert [line for line, pythons in wanted.items() if oldest not in pythons] == []


def test_remaking_keeps_names_and_versions_alone() -> None:
    frozen = ["SQLAlchemy-Utils==0.43.0", "jaraco.text==4.0", "nxt-backend @ file:///somewhere", ""]
    assert list(tool("lock").pinned(frozen)) == ["sqlalchemy-utils==0.43.0", "jaraco-text==4.0"]


def test_remaking_refuses_what_has_no_version() -> None:
    with pytest.raises(SystemExit, match="no version: odd"):
        list(tool("lock").pinned(["odd @ https://example.com/odd.whl"]))
