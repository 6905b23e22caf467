"""Everyday commands: ``nox -l`` lists them."""

from __future__ import annotations

import os

import nox

nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True
nox.needs_version = ">=2024.10"

_SOURCES = ("src", "tests", "benchmarks", "examples", "tools", "alembic", "noxfile.py")


def _install(session: nox.Session, *extras: str) -> None:
    """Install the project with extras, at the versions that the lock file pins."""
    session.install("-c", "requirements.lock", "-e", f".[{','.join(extras)}]")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, layering and common security mistakes."""
    _install(session, "dev")
    session.run("ruff", "check", *_SOURCES)
    session.run("ruff", "format", "--check", *_SOURCES)
    session.run("lint-imports", "--no-cache")
    session.run("bandit", "-q", "-r", "src", "-c", "pyproject.toml")


@nox.session
def types(session: nox.Session) -> None:
    """Check types strictly."""
    _install(session, "dev")
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test that runs by default; arguments go to pytest."""
    _install(session, "dev")
    session.run("pytest", "-n", "auto", "--dist", "loadgroup", *(session.posargs or ["-m", "not nightly"]))


@nox.session
def nightly(session: nox.Session) -> None:
    """Run the long tests, too."""
    _install(session, "dev")
    session.run("pytest", "-n", "auto", "--dist", "loadgroup", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure which lines and branches the tests reach."""
    _install(session, "dev")
    session.run("pytest", "-n", "auto", "--dist", "loadgroup", "-m", "not nightly", "--cov", "--cov-report=term-missing")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site into ``site/``; fails on a broken link."""
    _install(session, "docs")
    session.run("mkdocs", "build", "--strict")


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Run the benchmarks, each of which prints ours, the limit and the ratio."""
    _install(session, "dev")
    for name in sorted(os.listdir("benchmarks")):
        if name.endswith(".py") and not name.startswith("_"):
            session.run("python", f"benchmarks/{name}", *session.posargs)


@nox.session
def up(session: nox.Session) -> None:
    """Run the demo from this checkout; arguments go to ``nxt up``."""
    _install(session, "embedded")
    session.run("nxt", "up", *session.posargs)
