"""Every benchmark says what it does, and runs with tiny counts: ours, the peer or the limit, the ratio."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from typing import Any

import pytest
from tests.unit.benchmarks.conftest import FOLDER

SCRIPTS = sorted(path.name for path in FOLDER.glob("*.py") if not path.name.startswith("_"))
QUICK_PEER = ("--pgbench-scale", "1", "--pgbench-seconds", "1", "--pgbench-runs", "1")
NO_PEER = ("--pgbench-seconds", "0")


def run(script: str, *arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(FOLDER / script), *arguments],
        capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip


def report(script: str, *arguments: str) -> dict[str, Any]:
    done = run(script, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def figures(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {figure["case"]: figure for figure in document["figures"]}


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_explains_itself(script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In this process: most of what the scripts import is here already."""
    monkeypatch.setattr(sys, "argv", [str(FOLDER / script), "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(FOLDER / script), run_name="__main__")
    assert not ended.value.code
    told = capsys.readouterr().out
    assert f"python benchmarks/{script}" in told, "how to run it"
    assert "--json" in told


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_is_described(script: str) -> None:
    assert f"`{script}`" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_codec() -> None:
    found = figures(report("codec.py", "0.01"))
    assert found["encode a token"]["value"] == 2000
    assert all(figure["ratio"] > 1 for figure in found.values() if figure["beside"] == "needed")


def test_settlement_beside_pgbench() -> None:
    """[R46] the worker's own code, and the peer on the same server in the same run."""
    few = ("--orders", "12", "--sales", "0", "--workers", "1", "--runs", "1", "--earlier", "0")
    document = report("settlement.py", *few, *QUICK_PEER)
    (figure,) = document["figures"]
    assert figure["ours"] > 0
    assert figure["ratio"] == pytest.approx(figure["ours"] / figure["value"])
    assert [row[0] for row in document["tables"][0]["rows"]] == [figure["case"]]
    assert document["notes"] == ["shared_buffers: 1024 MB", "distinct meters: nxt ledger audit: 0 findings"]


@pytest.mark.nightly
def test_settlement_after_many_orders() -> None:
    """[PAY-198] 15: a second database with earlier orders, whose books are in order, and the sales of one agent."""
    some = ("--orders", "12", "--sales", "3", "--workers", "1", "2", "--runs", "1")
    document = report("settlement.py", *some, "--rounds", "2", "--earlier", "300", "--pgbench-seconds", "0")
    found = figures(document)
    in_turn = [f"after 300 orders, {workers} worker(s), in turn" for workers in (1, 2)]
    assert [found[case]["beside"] for case in in_turn] == ["distinct meters"] * 2
    assert [(row[0], row[1]) for row in document["tables"][1]["rows"]] == [(case, 2) for case in in_turn]
    assert {"one agent, 1 worker(s)", "one agent, 2 worker(s)"} <= set(found)
    assert [note.endswith("0 findings") for note in document["notes"]] == [False, False, True, True]


@pytest.mark.nightly
def test_routes_beside_bare_handlers() -> None:
    """Both answer all routes, and the peer's answers have the same rows as ours."""
    document = report("http_routes.py", "--seconds", "0.2", "--rounds", "1", "--connections", "2")
    found = figures(document)
    routes = {case.partition(":")[0] for case in found}
    assert routes == {"GET /grids/{id}", "GET /grids?limit=100", "GET /customers?limit=100", "POST /connections"}
    assert all(figure["ours"] > 0 and figure["value"] > 0 for figure in found.values())
    sizes = {(row[0], row[1]): row[4] for row in document["tables"][0]["rows"]}
    for route in routes:
        assert sizes[route, "nxt api"] == pytest.approx(sizes[route, "bare aiohttp"], rel=0.1)


@pytest.mark.nightly
def test_messages_through_all_stages() -> None:
    """[R47] Engines as processes deliver all of them; the script checks the archive."""
    document = report(
        "messages.py", "--messages", "60", "--engines", "1", "2", "--waiting", "100", "200", "--claims", "5",
        "--connections", "2", "--seconds", "0.5", "--rounds", "1",
    )  # fmt: skip
    found = figures(document)
    assert found["all stages, 2 engine(s)"]["ours"] > 0
    assert found["rate, 2 engines over 1, sends of 50 ms"]["value"] == 1.6
    assert found["enqueued in batches of 500"]["ours"] > 0
    assert found["a claim, 200 messages waiting"]["ratio"] > 0
    assert found["enqueued over HTTP"]["ratio"] > 0


@pytest.mark.nightly
def test_lists_of_a_large_plane() -> None:
    """[R41] All lists are asked, and no page of a long list reads many times its length."""
    document = report(
        "scale.py", "--customers", "20000", "--grids", "200", "--rate", "50", "--seconds", "1", "--rounds", "1"
    )
    found = figures(document)
    assert len(found) == 3
    assert found["rows that the worst page reads"]["ours"] > 0
    long = {"/customers", "/connections", "/meters", "/issues"}  # short tables may well be read as a whole
    assert all(rows < 1000 for path, *_, rows in document["tables"][0]["rows"] if path in long)
    assert any("/customers" in note and "/poles" in note for note in document["notes"])


def test_the_chain_step_by_step() -> None:
    document = report("chain.py", "--only", "steps", "--orders", "20", "--meters", "5", *NO_PEER)
    assert figures(document)["steps: whole chain, one process"]["ours"] > 0
    steps = {row[0]: row for row in document["tables"][0]["rows"]}
    assert next(iter(steps)) == "initialise"
    assert {"store the webhook", "verify", "settle", "claim and send", "take events in", "publish news"} <= set(steps)
    assert all(milliseconds > 0 for _, _, milliseconds, *_ in steps.values())


@pytest.mark.e2e
@pytest.mark.nightly
def test_the_chain_through_all_processes() -> None:
    document = report("chain.py", "--only", "whole", "--orders", "10", "--at-once", "2", *NO_PEER)
    found = figures(document)
    assert found["whole: paid and not delivered"]["ours"] == 0
    assert found["whole: orders settled"]["ours"] >= found["whole: orders delivered"]["ours"] > 0
    roles = {row[0]: row[1] for row in document["tables"][0]["rows"]}
    assert roles["jobs"] > 0
    assert roles["api"] > 0
    assert roles["postgres"] > 0
