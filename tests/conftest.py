"""Stores that tests may ask for: real servers; what can't be had on this machine is skipped with the reason."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings

from nxt_entrypoints.database.migrate import Plane
from tests.support import databases
from tests.support.databases import Unobtainable
from tests.support.valkey import ValkeyServer, flush

# A busy machine is no defect: speed is measured in benchmarks/. What fails is told so that it can be run again.
settings.register_profile("nxt", deadline=None, print_blob=True)
settings.load_profile("nxt")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        databases.begin_run()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        databases.end_run()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the collector what stays for the whole run: half a million objects of modules and tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """``-n auto``: half as many workers again as cores, since tests with processes and clocks mostly wait."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(2, cores * 3 // 2)


def _server(kind: str, variable: str) -> str:
    try:
        return databases.embedded_server() if kind == "embedded" else databases.server_from_environment(variable)
    except Unobtainable as reason:
        pytest.skip(str(reason))


def _database(server: str, plane: Plane) -> Iterator[str]:
    try:
        with databases.fresh_database(server, plane) as url:
            yield url
    except Unobtainable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def postgres_server() -> str:
    """The embedded server: a login that may create databases."""
    return _server("embedded", "")


@pytest.fixture(params=["embedded", "service"])
def any_postgres_server(request: pytest.FixtureRequest) -> str:
    """The embedded server, and the one of NXT_TEST_POSTGRES_URL [R57]."""
    return _server(request.param, "NXT_TEST_POSTGRES_URL")


@pytest.fixture
def relational_url(postgres_server: str) -> Iterator[str]:
    """A migrated relational database of the test's own, on the embedded server; the login owns it."""
    yield from _database(postgres_server, "relational")


@pytest.fixture
def messaging_url(postgres_server: str) -> Iterator[str]:
    """A migrated database of the stand-alone messaging plane, of the test's own."""
    yield from _database(postgres_server, "messaging")


@pytest.fixture
def any_relational_url(any_postgres_server: str) -> Iterator[str]:
    """As relational_url, on the embedded server and on that of NXT_TEST_POSTGRES_URL [R57]."""
    yield from _database(any_postgres_server, "relational")


@pytest.fixture
def empty_url(any_postgres_server: str) -> Iterator[str]:
    """A database without any schema."""
    with databases.empty_database(any_postgres_server) as url:
        yield url


@pytest.fixture
def series_url(postgres_server: str) -> Iterator[str]:
    """A migrated series database of the test's own, on the embedded server, without TimescaleDB."""
    yield from _database(postgres_server, "telemetry")


@pytest.fixture(params=["embedded", "service"])
def any_series_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """As series_url, on the embedded server and on that of NXT_TEST_TIMESCALE_URL [R57]."""
    yield from _database(_server(request.param, "NXT_TEST_TIMESCALE_URL"), "telemetry")


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[ValkeyServer]:
    """An embedded Valkey of this worker's own."""
    try:
        server = ValkeyServer.start()
    except Unobtainable as reason:
        pytest.skip(str(reason))
    with server:
        yield server


@pytest.fixture
def valkey_url(valkey_server: ValkeyServer) -> str:
    """An empty Valkey, ``redis://…``."""
    flush(valkey_server.url)
    return valkey_server.url


@pytest.fixture(params=["embedded", "service"])
def any_valkey_url(request: pytest.FixtureRequest) -> str:
    """As valkey_url, embedded and that of NXT_TEST_VALKEY_URL, whose database is emptied [R57]."""
    if request.param == "embedded":
        return str(request.getfixturevalue("valkey_url"))
    if not (url := os.environ.get("NXT_TEST_VALKEY_URL")):
        pytest.skip("NXT_TEST_VALKEY_URL is not set")
    flush(url)
    return url
