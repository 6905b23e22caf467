"""Whom an operator's command is meant for: one rule for all of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nxt_entrypoints.cli.running import chosen, environment_of, plane_urls, relational_url
from nxt_entrypoints.settings.problems import ConfigInvalid
from nxt_entrypoints.supervisor import runfile
from nxt_entrypoints.supervisor.runfile import NotRunning, RunFile

ELSEWHERE = "postgresql://nxt:x@db.example:5432/nxt"


@pytest.fixture(autouse=True)
def bare_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("NXT_DB_", "NXT_TIMESCALE_DB_", "DATABASE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A running ``nxt up``."""
    return started(tmp_path / "demo")


def started(data: Path) -> Path:
    data.mkdir()
    RunFile(data).write(
        {"relational_url": f"postgresql://{data.name}/nxt", "series_url": f"postgresql://{data.name}/ts"}
    )
    return data


@pytest.fixture
def another(tmp_path: Path, demo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A second one, of another process."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", os.getppid)
        return started(tmp_path / "another")


def test_the_only_one_that_runs_is_meant(demo: Path) -> None:
    assert chosen(None) == demo
    assert relational_url(None, None) == "postgresql://demo/nxt"
    assert plane_urls(None) == ("postgresql://demo/nxt", "postgresql://demo/ts")


@pytest.mark.parametrize(
    "named", [{"NXT_DB_URL": ELSEWHERE}, {"NXT_DB_HOST": "db.example"}, {"DATABASE_URL": "db.example"}]
)
def test_an_environment_that_names_a_database_wins_over_what_runs(
    demo: Path, named: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody's production is mistaken for a demo, nor a demo for production."""
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    assert chosen(None) is None
    assert environment_of(None) is os.environ
    assert chosen(demo) == demo


def test_what_is_named_wins_over_everything(demo: Path, another: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NXT_DB_URL", ELSEWHERE)
    assert relational_url(another, None) == "postgresql://another/nxt"
    assert relational_url(another, "postgresql://given/nxt") == "postgresql://given/nxt"


def test_among_several_one_has_to_be_chosen(demo: Path, another: Path) -> None:
    assert len(runfile.instances()) == 2
    with pytest.raises(NotRunning, match="choose one with --data"):
        relational_url(None, None)
    assert relational_url(None, "postgresql://given/nxt") == "postgresql://given/nxt"


def test_where_nothing_is_named_and_nothing_runs_the_environment_is_told_to_be_incomplete() -> None:
    assert chosen(None) is None
    with pytest.raises(ConfigInvalid, match="NXT_DB_HOST"):
        relational_url(None, None)
