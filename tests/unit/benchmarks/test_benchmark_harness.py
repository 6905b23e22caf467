"""What every benchmark shares."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
from _harness import Figure, Report, Table, arguments, count, percentile, publish
from _processes import cpu_seconds, tree
from hypothesis import given
from hypothesis import strategies as st

BUSY = "import time; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
PARENT = f"""
import subprocess, sys, time
subprocess.run([sys.executable, "-c", {BUSY!r}])
print("done", flush=True)
time.sleep(30)
"""


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60), st.integers(1, 100))
def test_a_percentile_is_the_smallest_value_that_covers_its_share(values: list[int], percent: int) -> None:
    found = percentile(values, percent / 100)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
    assert sum(value < found for value in values) * 100 < percent * len(values)


def test_percentiles_of_nothing_and_of_much() -> None:
    assert percentile([], 0.99) == 0
    assert percentile(list(range(1, 101)), 0.99) == 99
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0


def test_ours_the_peer_and_the_ratio_stand_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    figures = [Figure(case="orders settled", ours=500.0, unit="/s", beside="pgbench", value=2000.0)]
    table = Table(title="steps", columns=("step", "ms"), rows=[("settle", 0.25), ("verify", None)])
    publish(Report(benchmark="x", figures=figures, tables=[table], notes=["quick"]), as_json=False)
    told = capsys.readouterr().out
    (line,) = [line for line in told.splitlines() if line.startswith("orders settled")]
    assert line.split() == ["orders", "settled", "500.0", "/s", "pgbench", "2,000", "0.25x"]
    assert "settle  0.25" in told
    assert "note: quick" in told


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    publish(Report(benchmark="x", figures=[Figure(case="a", ours=1.0, unit="s")]), as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["figures"] == [{"case": "a", "ours": 1.0, "unit": "s", "beside": "", "value": None, "ratio": None}]
    assert document["machine"]["cores"] == os.cpu_count()


def test_counts_below_one_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    parser = arguments("text")
    parser.add_argument("--orders", type=count)
    assert parser.parse_args(["--orders", "3"]).orders == 3
    for wrong in ("0", "-1", "x"):
        with pytest.raises(SystemExit):
            parser.parse_args(["--orders", wrong])
    assert "whole number above 0" in capsys.readouterr().err


def test_cpu_of_a_process_and_its_children_is_counted() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"done\n"
        time.sleep(0.02)
        assert set(tree(parent.pid)) == {parent.pid}
        assert cpu_seconds(parent.pid) >= 0.2, "the child has ended, and its time counts all the same"
    finally:
        parent.kill()
        parent.wait()
    assert cpu_seconds(parent.pid) == 0
