"""The script of continuous integration, and the tools that it uses."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.repository.repository_files import ROOT
from tests.unit.repository.test_lock_file import tool

SCRIPT = ROOT / ".ci/run"
README = (ROOT / "README.md").read_text()


def readme_command(marker: str) -> str:
    match = re.search(rf"<!-- {marker} -->\n```sh\n(.+)\n```\n", README)
    assert match is not None, f"the README has no one line under <!-- {marker} -->"
    return match[1]


def extracted(marker: str) -> str:
    """Return what the script's own function finds in the README."""
    function = re.search(r"^readme_command\(\) \{\n.*?^\}\n", SCRIPT.read_text(), re.DOTALL | re.MULTILINE)
    assert function is not None
    bash = shutil.which("bash")
    assert bash is not None
    command = [bash, "-c", f"{function.group()} readme_command {marker}"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def test_the_script_can_be_run() -> None:
    assert os.access(SCRIPT, os.X_OK)
    assert subprocess.run(["bash", "-n", SCRIPT], check=False).returncode == 0
    assert SCRIPT.read_text().startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in SCRIPT.read_text()


def test_the_readme_starts_and_tests_with_one_line_each() -> None:
    assert readme_command("up").endswith("&& nxt up")
    assert "pytest" in readme_command("tests")
    for command in (readme_command("up"), readme_command("tests")):
        assert command.startswith("pip install -c requirements.lock ")


def test_the_script_runs_the_very_line_of_the_readme() -> None:
    assert extracted("tests") == readme_command("tests")
    assert extracted("up") == readme_command("up")


def test_nox_runs_the_same_tests() -> None:
    arguments = readme_command("tests").partition("&& ")[2].replace("'", "")
    noxfile = (ROOT / "noxfile.py").read_text()
    for word in arguments.split():
        assert word in noxfile, word


def test_quick_checks_come_before_slow_ones() -> None:
    steps = re.findall(r"^step '(.+)'$", SCRIPT.read_text(), re.MULTILINE)
    assert [steps.index(name) for name in ("Install", "Lint", "Types")] == [0, 1, 2]
    assert steps[-1] == "Tests"


def report(tmp_path: Path, *cases: str) -> Path:
    path = tmp_path / "tests.xml"
    path.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    return path


PASSED = "<testcase name='a'/>"
FAILED = "<testcase name='b'><failure message='no'/></testcase>"
BROKEN = "<testcase name='c'><error message='no'/></testcase>"


def skipped(reason: str) -> str:
    return f'<testcase name="d"><skipped type="pytest.skip" message="{reason}"/></testcase>'


@pytest.mark.parametrize(
    ("cases", "allowed", "status", "closing"),
    [
        ((PASSED, PASSED), (), 0, "2 passed, 0 failed, 0 skipped"),
        ((PASSED, FAILED, BROKEN), (), 1, "1 passed, 2 failed, 0 skipped"),
        ((PASSED, skipped("asks for root's rights")), (), 0, "1 passed, 0 failed, 1 skipped"),
        ((PASSED, skipped("NXT_TEST_MQTT_URL is not set")), (), 1, "1 passed, 1 failed, 0 skipped"),
        (
            (PASSED, skipped("NXT_TEST_MQTT_URL is not set")),
            ("--allow", "NXT_TEST_MQTT_URL is not set"),
            0,
            "1 passed, 0 failed, 1 skipped",
        ),
        (
            (PASSED, skipped("the packages of TimescaleDB can't be installed: no space")),
            ("--allow", "NXT_TEST_MQTT_URL is not set"),
            1,
            "1 passed, 1 failed, 0 skipped",
        ),
    ],
)
def test_a_test_skipped_for_want_of_something_obtainable_fails_the_run(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    cases: tuple[str, ...],
    allowed: tuple[str, ...],
    status: int,
    closing: str,
) -> None:
    """[R57] In CI a skip is a failure unless the machine can't have the service."""
    assert tool("check_skips").main([str(report(tmp_path, *cases)), *allowed]) == status
    assert capsys.readouterr().out.splitlines()[-1] == closing


def test_services_are_named_as_the_tests_read_them() -> None:
    """[R57] Each name once, with an address or the word absent; an address of the environment is kept."""
    environment = {**os.environ, "NXT_TEST_MQTT_URL": "mqtt://127.0.0.1:1"}
    command = [sys.executable, ROOT / "tools/find_services.py"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    names = ["NXT_TEST_POSTGRES_URL", "NXT_TEST_TIMESCALE_URL", "NXT_TEST_VALKEY_URL", "NXT_TEST_MQTT_URL"]
    assert list(found) == names
    assert found["NXT_TEST_MQTT_URL"] == "mqtt://127.0.0.1:1"
    assert all(value == "absent" or "://" in value for value in found.values())
