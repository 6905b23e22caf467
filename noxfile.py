"""Everyday commands: ``nox -l`` lists them."""

from __future__ import annotations

from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True
nox.needs_version = ">=2024.10"

_SOURCES = ("src", "tests", "benchmarks", "examples", "tools", "alembic", "noxfile.py")
_PYTEST = ("pytest", "-n", "auto", "--dist", "loadfile")


def _install(session: nox.Session, extra: str) -> None:
    """Install the project with an extra, at the versions that the lock file pins."""
    session.install("-c", "requirements.lock", "-e", f".[{extra}]")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, layering and common security mistakes."""
    _install(session, "dev")
    session.run("ruff", "check", *_SOURCES)
    session.run("ruff", "format", "--check", *_SOURCES)
    session.run("lint-imports", "--no-cache")
    # Lower severities are ruff's rules S, each suppression with its reason on the line.
    session.run("bandit", "-q", "-r", "src", "--severity-level", "high")


@nox.session
def types(session: nox.Session) -> None:
    """Check types strictly."""
    _install(session, "dev")
    session.run("mypy")
    session.run("mypy", *(str(script) for script in Path("benchmarks").glob("*.py")))


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test that runs by default; arguments go to pytest."""
    _install(session, "dev")
    session.run(*_PYTEST, *(session.posargs or ["-m", "not nightly"]))


@nox.session
def nightly(session: nox.Session) -> None:
    """Run all tests, the long ones too."""
    _install(session, "dev")
    session.run(*_PYTEST, *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure which lines and branches the tests reach."""
    _install(session, "dev")
    session.run(*_PYTEST, "-m", "not nightly", "--cov=src", "--cov-branch", "--cov-report=term-missing:skip-covered")


@nox.session
def notebook(session: nox.Session) -> None:
    """Install the wheel without extras, and run the examples on it: the domain needs no service."""
    folder = session.create_tmp()
    session.run("pip", "wheel", "-q", "--no-deps", "-w", folder, ".")
    session.install("-c", "requirements.lock", "--force-reinstall", *map(str, Path(folder).glob("nxt_backend-*.whl")))
    session.run("python", "examples/domain_in_five_lines.py")
    session.run("python", "tools/run_notebook.py", *map(str, Path("examples/notebooks").glob("*.ipynb")))


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site into ``site/``; fails on a broken link."""
    _install(session, "docs")
    session.run("mkdocs", "build", "--strict", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def lock(session: nox.Session) -> None:
    """Remake ``requirements.lock`` with the newest versions that fit."""
    session.run("python", "tools/lock.py")


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Run the benchmarks, each of which prints ours, the limit and the ratio."""
    _install(session, "dev")
    for path in sorted(Path("benchmarks").glob("[!_]*.py")):
        session.run("python", str(path), *session.posargs)


@nox.session
def up(session: nox.Session) -> None:
    """Run the demo from this checkout; arguments go to ``nxt up``."""
    _install(session, "embedded")
    session.run("nxt", "up", *session.posargs)
