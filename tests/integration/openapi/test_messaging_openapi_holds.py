"""What the OpenAPI document of stand-alone messaging promises, the running process keeps [DM-151]."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.support import databases
from tests.support.databases import Unobtainable
from tests.support.stand_alone import BEARER, environment, free_port

from nxt_entrypoints.messaging.openapi import messaging_document

load_all_checks()

DOCUMENT = messaging_document()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = [(path, method) for path, item in DOCUMENT["paths"].items() for method in item]
IDS = [f"{method.upper()} {path}" for path, method in OPERATIONS]
BOUNDED, NIGHTLY = 120, 4_000
"""Cases over all operations, by default and in the nightly run."""

PLUGINS = ["stub-push", "stub-pull", "nxt-sts"]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    port = free_port()
    try:
        with databases.fresh_database(databases.embedded_server(), "messaging") as url:
            listed = [{"id": plugin} for plugin in PLUGINS]
            environ = {**os.environ, **environment(url, plugins=listed), "PORT": str(port)}
            environ["NXT_STS_URL"] = "http://127.0.0.1:9"
            command = [sys.executable, "-m", "nxt_entrypoints.cli.main", "messaging", "--log-level", "ERROR"]
            with subprocess.Popen(command, env=environ) as process:
                yield _answering(f"http://127.0.0.1:{port}")
                process.terminate()
    except Unobtainable as reason:
        pytest.skip(str(reason))


def _answering(url: str) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if requests.get(f"{url}/readyz", timeout=5).status_code == 200:
                return url
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError("the service did not begin to answer")


def run(address: str, path: str, method: str, *, cases: int) -> None:
    operation = SCHEMA[path][method.upper()]
    strategy = operation.as_strategy(generation_mode=GenerationMode.POSITIVE) | operation.as_strategy(
        generation_mode=GenerationMode.NEGATIVE
    )
    session = requests.Session()

    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy, data=st.data())
    def judge(case: Any, data: st.DataObject) -> None:
        plugin = data.draw(st.sampled_from([*PLUGINS, None]), label="an enabled plug-in")
        if plugin is not None:
            _name_plugin(case, plugin)
        headers = BEARER if data.draw(st.integers(0, 9)) else {}
        answer = case.call(base_url=address, session=session, headers=headers, allow_redirects=False, timeout=60)
        # A token service that is away is 502 by contract; nothing else may fail.
        assert answer.status_code < 500 or answer.status_code == 502, answer.text
        checks = [status_code_conformance, content_type_conformance, response_schema_conformance]
        case.validate_response(answer, checks=checks if answer.content else [status_code_conformance])

    judge()


def _name_plugin(case: Any, plugin: str) -> None:
    for part in (case.path_parameters, case.body):
        if isinstance(part, dict) and "pluginId" in part:
            part["pluginId"] = plugin


@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=IDS)
def test_every_operation_keeps_its_promise(address: str, path: str, method: str) -> None:
    """[DM-143] [DM-151] No 5xx, no undocumented status, bodies as described."""
    run(address, path, method, cases=BOUNDED // len(OPERATIONS))


@pytest.mark.nightly
@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=IDS)
def test_every_operation_keeps_its_promise_for_long(address: str, path: str, method: str) -> None:
    """[DM-151]"""
    run(address, path, method, cases=NIGHTLY // len(OPERATIONS))
