"""Applying migrations, from a checkout or an installed wheel [REL-173].

The schema changes only by an explicit command of the operator: forward, one numbered step after the other, each in a
transaction of its own where that is possible. Two commands at the same time wait for each other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NoReturn

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

import nxt_entrypoints
from nxt_domain.shared.errors import DomainError, Unavailable

Plane = Literal["relational", "telemetry", "messaging"]
Progress = Callable[[str], None]

VERSION_TABLES: dict[Plane, str] = {
    "relational": "alembic_version",
    "telemetry": "alembic_version",
    "messaging": "alembic_version_messaging",
}
_LOCK_TIMEOUT = "5s"
_ASK_AGAIN_S = 0.2
# Alembic hands the running migration to scripts through module globals.
_ONE_AT_A_TIME = threading.Lock()


class DowngradeRefused(DomainError):
    """Migrations go forward only; the way back is a backup [REL-173]."""

    default_code = "DOWNGRADE_REFUSED"


class MigrationWaited(Unavailable):
    """Somebody else's transaction held for too long what a step wants to change [REL-173]."""

    default_code = "MIGRATION_WAITED"


class UnknownPlane(DomainError):
    """This installation carries no migrations of that plane."""

    default_code = "UNKNOWN_PLANE"


def script_location(plane: Plane) -> Path:
    """Find the migrations of a plane: inside the installed package, else in the checkout around it.

    Raises:
        UnknownPlane: There are none.
    """
    package = Path(nxt_entrypoints.__file__).parent
    for candidate in (package / "migrations" / plane, package.parents[1] / "alembic" / plane):
        if (candidate / "env.py").is_file():
            return candidate
    raise UnknownPlane(f"No migrations of the {plane} plane are installed")


def upgrade(url: str, plane: Plane, *, progress: Progress | None = None) -> list[str]:
    """Bring a database to the newest revision; a second call changes nothing [REL-186].

    Args:
        url: ``postgresql://…`` of a login that owns the database (``DATABASE_*``) [R14].
        plane: Which schema.
        progress: Told one line for each step applied.

    Returns:
        The revisions applied now, in order.

    Raises:
        MigrationWaited: Somebody else's transaction was in the way; another call goes on from there.
        Unavailable: The database can't be reached.
        UnknownPlane: No migrations of that plane are installed.
    """
    applied: list[str] = []

    def note(*, step: object, **_facts: object) -> None:
        revision = str(getattr(step, "up_revision_id", step))
        applied.append(revision)
        if progress is not None:
            summary = str(getattr(getattr(step, "up_revision", None), "doc", "")).rstrip(".")
            progress(f"{plane} {revision}: {summary}")

    config = _config(plane)
    with _ONE_AT_A_TIME, connected(url) as connection, _alone(connection, plane):
        config.attributes.update(
            connection=connection, version_table=VERSION_TABLES[plane], on_version_apply=note, plane=plane
        )
        try:
            command.upgrade(config, "head")
        except OperationalError as error:
            if isinstance(error.orig, LockNotAvailable):
                raise MigrationWaited(
                    f"A migration of the {plane} plane waited {_LOCK_TIMEOUT} for work under way and gave up. "
                    "Run it again when long transactions have ended"
                ) from error
            raise
        connection.commit()
    return applied


def current(url: str, plane: Plane) -> str | None:
    """Return the revision of a database; None where no migration was ever applied."""
    with connected(url) as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLES[plane]})
        return context.get_current_revision()


def head(plane: Plane) -> str:
    """Return the newest revision that this installation carries."""
    revision = ScriptDirectory.from_config(_config(plane)).get_current_head()
    if revision is None:
        raise UnknownPlane(f"No migrations of the {plane} plane are installed")
    return revision


def downgrade(url: str, plane: Plane) -> NoReturn:
    """Refuse: migrations go forward only [REL-173].

    Raises:
        DowngradeRefused: Always.
    """
    del url
    raise DowngradeRefused(
        f"Migrations of the {plane} plane go forward only. Restore a backup taken before the upgrade instead"
    )


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """Open one connection as the login of the URL, with the lock time-out of migrations.

    Raises:
        Unavailable: The database can't be reached.
    """
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    event.listen(engine, "connect", _limit_waiting)
    try:
        connection = engine.connect()
    except OperationalError as error:
        raise Unavailable(f"The database can't be reached: {error.orig}") from error
    try:
        with connection:
            yield connection
    finally:
        engine.dispose()


def _limit_waiting(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]  # the event gives DBAPI connections without a type
    cursor.execute(f"set lock_timeout = '{_LOCK_TIMEOUT}'; set timezone = 'UTC'")
    cursor.close()
    connection.commit()  # type: ignore[attr-defined]  # as above


@contextmanager
def _alone(connection: Connection, plane: Plane) -> Iterator[None]:
    key = f"nxt.migrations.{plane}"
    # Asked again and again: a step that makes an index beside running work waits for every statement that is under way.
    while not connection.scalar(text("select pg_try_advisory_lock(hashtextextended(:key, 0))"), {"key": key}):
        connection.commit()
        time.sleep(_ASK_AGAIN_S)
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(text("select pg_advisory_unlock(hashtextextended(:key, 0))"), {"key": key})
        connection.commit()


def _config(plane: Plane) -> Config:
    config = Config()
    config.set_main_option("script_location", script_location(plane).as_posix().replace("%", "%%"))
    return config
