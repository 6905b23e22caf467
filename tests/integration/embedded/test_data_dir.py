"""The data directory of `nxt up`."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from nxt_entrypoints.embedded.data_dir import DataDir, sweep_abandoned
from nxt_entrypoints.embedded.errors import DirectoryInUse, EmbeddedError
from nxt_entrypoints.embedded.ports import free_port, is_free

HOLDER = """
import sys, time
sys.path[:0] = {path!r}
from pathlib import Path
from nxt_entrypoints.embedded.data_dir import DataDir
data = DataDir({data}).open()
print(data.path, flush=True)
time.sleep(60)
"""


def holder(data: str) -> subprocess.Popen:
    code = HOLDER.format(path=sys.path, data=data)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_directory_in_use_is_refused_and_the_holder_named(tmp_path):
    """(R37) Two servers on one directory would destroy it."""
    other = holder(f"Path({str(tmp_path / 'd')!r})")
    try:
        other.stdout.readline()
        with pytest.raises(DirectoryInUse) as refused:
            DataDir(tmp_path / "d").open()
    finally:
        other.kill()
        other.wait()
    assert refused.value.pid == other.pid
    assert str(other.pid) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_killed_holder_leaves_the_directory_usable(tmp_path):
    other = holder(f"Path({str(tmp_path / 'd')!r})")
    other.stdout.readline()
    other.kill()
    other.wait()
    with DataDir(tmp_path / "d"):
        assert (tmp_path / "d" / "lock").read_text().strip() == str(os.getpid())


def test_credentials_stay_and_are_private(tmp_path):
    """(R37) Credentials are valid over restarts, mode 0600."""
    with DataDir(tmp_path / "d") as first:
        password = first.secret("postgres_password")
        key = first.secret("api_key", lambda: "nxt_made")
    with DataDir(tmp_path / "d") as second:
        assert second.secret("postgres_password") == password
        assert second.secret("api_key", lambda: "another") == key == "nxt_made"
    assert mode(tmp_path / "d" / "credentials.json") == 0o600
    assert mode(tmp_path / "d" / "lock") == 0o600
    assert len(password) >= 32


def test_a_port_is_kept_while_it_is_free(tmp_path):
    """(R37) Preferences, not promises: a taken port is replaced."""
    with DataDir(tmp_path / "d") as first:
        port = first.port("valkey")
    with DataDir(tmp_path / "d") as second:
        assert second.port("valkey") == port
        assert second.port("mqtt") != port
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert not is_free(port)
        with DataDir(tmp_path / "d") as third:
            replaced = third.port("valkey")
            assert replaced != port
            assert third.port("valkey") == replaced


def test_a_port_promised_to_another_is_avoided(tmp_path):
    with DataDir(tmp_path / "d") as data:
        port = free_port()
        data.write_private("ports.json", {"api": port})
        assert data.port("api", avoid={port}) != port


def test_a_temporary_directory_goes_at_a_clean_stop():
    """(R37) Without --data nothing stays."""
    with DataDir() as data:
        path = data.path
        data.secret("x")
        data.folder("log")
        sockets = data.socket_folder()
        assert path.is_dir()
    assert not path.exists()
    assert not sockets.exists()


def test_a_named_directory_stays(tmp_path):
    with DataDir(tmp_path / "a" / "b") as data:
        data.secret("x")
    assert (tmp_path / "a" / "b" / "credentials.json").exists()
    assert (tmp_path / "a" / "b" / "lock").read_text() == ""


def test_sockets_get_a_short_path_even_in_a_deep_directory(tmp_path):
    """(R37) Paths of sockets are limited to 107 bytes."""
    deep = tmp_path / ("d" * 100)
    with DataDir(deep) as data:
        folder = data.socket_folder()
        assert len(str(folder / ".s.PGSQL.65535.lock")) <= 107
        assert mode(folder) == 0o700
        assert folder == data.socket_folder()
    assert not folder.exists()


def test_damaged_credentials_are_reported_and_not_replaced(tmp_path):
    with DataDir(tmp_path / "d") as data:
        data.secret("x")
        (tmp_path / "d" / "credentials.json").write_text("{")
        with pytest.raises(EmbeddedError, match="damaged"):
            data.secret("x")
    assert (tmp_path / "d" / "credentials.json").read_text() == "{"


def test_a_file_in_the_way_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match="cannot be made") as refused:
        DataDir(tmp_path / "file" / "d").open()
    assert "\n" not in str(refused.value)


def test_only_abandoned_temporary_directories_are_swept(tmp_path):
    killed, alive = holder("None"), holder("None")
    try:
        left = Path(killed.stdout.readline().strip())
        used = Path(alive.stdout.readline().strip())
        killed.kill()
        killed.wait()
        with DataDir(tmp_path / "named"):
            pass
        assert sweep_abandoned([left, used, tmp_path / "named", tmp_path / "absent"]) == (left,)
        assert not left.exists()
        assert used.exists()
        assert (tmp_path / "named").exists()
    finally:
        alive.kill()
        alive.wait()
        sweep_abandoned([used])
    assert not used.exists()
