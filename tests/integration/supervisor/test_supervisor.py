"""The supervisor, with small programs as children."""

import asyncio
import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from nxt_entrypoints.embedded.ports import free_port
from nxt_entrypoints.supervisor.backoff import Backoff
from nxt_entrypoints.supervisor.child import ChildSpec, State
from nxt_entrypoints.supervisor.logstream import LogStream
from nxt_entrypoints.supervisor.processes import lives, started_at
from nxt_entrypoints.supervisor.supervisor import NotReady, Supervisor, stop_signals

SERVER = """
import http.server, json, pathlib, signal, sys, time
port, unready_until = int(sys.argv[1]), time.monotonic() + float(sys.argv[2])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ready = self.path == "/readyz" and time.monotonic() >= unready_until
        body = json.dumps({"ok": ready} if ready else {"ok": False, "failing": ["primary_db"]}).encode()
        self.send_response(200 if ready else 503)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
print("listening", flush=True)
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""

RECORDS_ITS_STOP = """
import pathlib, signal, sys, time
def stop(*_):
    with open(sys.argv[1], "a") as log: log.write(sys.argv[2] + "\\n")
    print("goodbye", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("ready to stop", flush=True)
while True: time.sleep(0.05)
"""

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ignoring", flush=True)
while True: time.sleep(0.05)
"""


def spec(name: str, code: str, *arguments: str, **more) -> ChildSpec:
    command = (sys.executable, "-c", textwrap.dedent(code), *arguments)
    return ChildSpec(name=name, command=command, env=dict(os.environ), **more)


def quick() -> Backoff:
    return Backoff(first_s=0.05, longest_s=0.1)


async def eventually(condition, within_s: float = 5.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.02)


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


async def test_ready_only_when_readyz_says_so(out: io.StringIO) -> None:
    """[API-40] 503 of /readyz keeps the child starting; 200 makes it ready."""
    port = free_port()
    one = spec("api", SERVER, str(port), "0.6", base_url=f"http://127.0.0.1:{port}")
    began = time.monotonic()
    async with Supervisor([one], LogStream(("api",), out=out)) as supervisor:
        assert supervisor.statuses[0].state is State.STARTING
        await supervisor.until_ready(within_s=10)
        assert time.monotonic() - began > 0.6
        assert supervisor.statuses[0].state is State.READY
    assert supervisor.statuses[0].state is State.STOPPED


async def test_a_child_that_never_gets_ready_is_named(out: io.StringIO) -> None:
    port = free_port()
    one = spec("jobs", SERVER, str(port), "99", base_url=f"http://127.0.0.1:{port}")
    async with Supervisor([one], LogStream(("jobs",), out=out)) as supervisor:
        with pytest.raises(NotReady, match="jobs"):
            await supervisor.until_ready(within_s=0.5)


async def test_a_child_that_ends_is_started_again(out: io.StringIO) -> None:
    one = spec("jobs", "import sys; print('up', flush=True); sys.exit(3)", backoff=quick)
    async with Supervisor([one], LogStream(("jobs",), out=out)) as supervisor:
        await eventually(lambda: supervisor.statuses[0].restarts >= 2)
        assert supervisor.statuses[0].last_exit == 3
    assert out.getvalue().count("| up") >= 2
    assert "ended with status 3; starting again" in out.getvalue()


async def test_a_killed_child_is_started_again_under_a_new_pid(out: io.StringIO, tmp_path: Path) -> None:
    one = spec("jobs", RECORDS_ITS_STOP, str(tmp_path / "log"), "jobs", backoff=quick)
    async with Supervisor([one], LogStream(("jobs",), out=out)) as supervisor:
        await eventually(lambda: "ready to stop" in out.getvalue())
        first = supervisor.statuses[0].pid
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: supervisor.statuses[0].pid not in (None, first))


async def test_an_invalid_configuration_is_not_tried_again(out: io.StringIO) -> None:
    """[API-198] Status 78 says that the next start would fail as well."""
    one = spec("api", "import sys; sys.exit(78)", backoff=quick, base_url="http://127.0.0.1:9")
    async with Supervisor([one], LogStream(("api",), out=out)) as supervisor:
        with pytest.raises(NotReady, match="api"):
            await supervisor.until_ready(within_s=5)
        assert supervisor.statuses[0].state is State.FAILED
        assert supervisor.statuses[0].restarts == 0


async def test_children_stop_in_reverse_order_and_their_last_words_are_kept(out: io.StringIO, tmp_path: Path) -> None:
    log = tmp_path / "stops"
    specs = [spec(name, RECORDS_ITS_STOP, str(log), name) for name in ("telemetry", "jobs", "api")]
    async with Supervisor(specs, LogStream(("telemetry", "jobs", "api"), out=out)):
        await eventually(lambda: out.getvalue().count("ready to stop") == 3)
    assert log.read_text().split() == ["api", "jobs", "telemetry"]
    assert out.getvalue().count("goodbye") == 3
    assert "api       | goodbye" in out.getvalue()


async def test_a_child_that_ignores_sigterm_is_killed(out: io.StringIO) -> None:
    one = spec("jobs", STUBBORN, stop_within_s=0.3)
    supervisor = Supervisor([one], LogStream(("jobs",), out=out))
    supervisor.start()
    await eventually(lambda: "ignoring" in out.getvalue())
    pid = supervisor.statuses[0].pid
    await supervisor.stop()
    assert not lives(pid)
    assert supervisor.statuses[0].last_exit == -signal.SIGKILL


async def test_stopping_ends_the_pause_before_a_restart(out: io.StringIO) -> None:
    one = spec("jobs", "raise SystemExit(1)", backoff=lambda: Backoff(first_s=60))
    supervisor = Supervisor([one], LogStream(("jobs",), out=out))
    supervisor.start()
    await eventually(lambda: supervisor.statuses[0].state is State.WAITING)
    await asyncio.wait_for(supervisor.stop(), 2)


async def test_changes_are_announced(out: io.StringIO) -> None:
    seen = []
    one = spec("api", "import time; time.sleep(60)")
    async with Supervisor([one], LogStream(("api",), out=out), on_change=seen.append) as supervisor:
        await supervisor.until_ready(within_s=5)
    states = [statuses[0].state for statuses in seen]
    assert states[0] is State.STARTING
    assert State.READY in states
    assert states[-1] is State.STOPPED
    assert any(statuses[0].pid for statuses in seen)


def test_backoff_doubles_to_its_limit_and_forgets_after_a_stable_run() -> None:
    backoff = Backoff()
    assert [backoff.after(1) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert backoff.after(60) == 1
    assert backoff.after(0) == 2


async def test_a_signal_sets_the_event_and_a_second_is_impatient() -> None:
    impatience = []
    with stop_signals(impatient=lambda: impatience.append(1)) as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(stop.wait(), 2)
        assert not impatience
        os.kill(os.getpid(), signal.SIGINT)
        await eventually(lambda: bool(impatience))


def test_no_child_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    """`kill -9` of the supervisor: the kernel sends every child SIGTERM, which it may obey in order."""
    log = tmp_path / "stops"
    program = f"""
import asyncio, os, sys
sys.path[:0] = {sys.path!r}
from nxt_entrypoints.supervisor.child import ChildSpec
from nxt_entrypoints.supervisor.logstream import LogStream
from nxt_entrypoints.supervisor.supervisor import Supervisor
code = {RECORDS_ITS_STOP!r}
async def main():
    specs = [ChildSpec(name=n, command=(sys.executable, "-c", code, {str(log)!r}, n), env=dict(os.environ))
             for n in ("api", "jobs")]
    async with Supervisor(specs, LogStream(("api", "jobs"), out=sys.stdout)) as supervisor:
        await asyncio.sleep(0.5)
        while not all(s.pid for s in supervisor.statuses): await asyncio.sleep(0.05)
        print("PIDS", *(s.pid for s in supervisor.statuses), flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    ready, pids = 0, []
    for line in parent.stdout:
        ready += "ready to stop" in line
        if line.startswith("PIDS"):
            pids = [int(word) for word in line.split()[1:]]
        if ready == 2 and pids:
            break
    births = {pid: started_at(pid) for pid in pids}
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 5
    while any(lives(pid) and started_at(pid) == births[pid] for pid in pids):
        assert time.monotonic() < deadline, "an orphan is left"
        time.sleep(0.05)
    assert sorted(log.read_text().split()) == ["api", "jobs"]


async def test_output_without_line_ends_and_in_odd_bytes_is_kept(out: io.StringIO) -> None:
    code = r"import sys; sys.stdout.buffer.write(b'caf\xe9' + b'x' * 3_000_000 + b'\nlast'); sys.stdout.flush()"
    one = spec("api", code, backoff=lambda: Backoff(first_s=60))
    async with Supervisor([one], LogStream(("api",), out=out)) as supervisor:
        await eventually(lambda: supervisor.statuses[0].state is State.WAITING)
    assert out.getvalue().count("x") >= 3_000_000
    assert "| last\n" in out.getvalue()


def test_prefixes_are_aligned_and_coloured_on_request() -> None:
    plain, coloured = io.StringIO(), io.StringIO()
    LogStream(("api", "telemetry"), out=plain).write("api", "hello")
    LogStream(("api", "telemetry"), out=coloured, colour=True).write("api", "hello")
    assert plain.getvalue() == "api       | hello\n"
    assert coloured.getvalue() == "\x1b[36mapi       |\x1b[0m hello\n"
