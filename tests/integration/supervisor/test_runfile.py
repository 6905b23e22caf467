"""What a running instance tells others."""

import json
import os
import stat
import subprocess
import sys

import pytest

from nxt_entrypoints.supervisor import runfile
from nxt_entrypoints.supervisor.runfile import NotRunning, RunFile


@pytest.fixture(autouse=True)
def runtime_folder(tmp_path, monkeypatch):
    folder = tmp_path / "runtime"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data"
    path.mkdir()
    return path


def test_what_was_written_is_found_by_directory_and_without_one(data):
    """(R7) `nxt status` shows what `nxt up` wrote."""
    file = RunFile(data)
    file.write({"urls": {"api": "http://127.0.0.1:1"}})
    for found in (runfile.find(data), runfile.find()):
        assert found.pid == os.getpid()
        assert found.data == data
        assert found.content["urls"] == {"api": "http://127.0.0.1:1"}
    file.remove()
    with pytest.raises(NotRunning, match="nxt up"):
        runfile.find(data)
    with pytest.raises(NotRunning):
        runfile.find()


def test_the_file_is_private(data, runtime_folder):
    """(R37) It holds credentials."""
    RunFile(data).write({"credentials": {"password": "x"}})
    assert stat.S_IMODE((data / "run.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((runtime_folder / "nxt-backend").stat().st_mode) == 0o700
    index = next((runtime_folder / "nxt-backend").iterdir())
    assert "credentials" not in index.read_text()


def test_a_killed_instance_does_not_count_as_running(data):
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "from pathlib import Path\n"
        "from nxt_entrypoints.supervisor.runfile import RunFile\n"
        f"RunFile(Path({str(data)!r})).write({{}})\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (data / "run.json").exists()
    with pytest.raises(NotRunning):
        runfile.find(data)
    assert runfile.abandoned() == (data,)
    assert runfile.abandoned() == ()


def test_a_reused_pid_is_not_mistaken_for_the_instance(data):
    RunFile(data).write({})
    content = json.loads((data / "run.json").read_text())
    (data / "run.json").write_text(json.dumps({**content, "started": content["started"] - 1}))
    with pytest.raises(NotRunning):
        runfile.find(data)


def test_several_instances_want_a_choice(data, tmp_path, runtime_folder):
    RunFile(data).write({})
    other = tmp_path / "other"
    other.mkdir()
    content = json.loads((data / "run.json").read_text()) | {"data": str(other)}
    (other / "run.json").write_text(json.dumps(content))
    (runtime_folder / "nxt-backend" / "1.json").write_text(json.dumps(content))
    with pytest.raises(NotRunning, match="--data"):
        runfile.find()
    assert runfile.find(other).data == other


def test_a_foreign_index_folder_is_refused(runtime_folder):
    (runtime_folder / "nxt-backend").mkdir(mode=0o777)
    (runtime_folder / "nxt-backend").chmod(0o777)
    with pytest.raises(NotRunning, match="private"):
        runfile.index_folder()
