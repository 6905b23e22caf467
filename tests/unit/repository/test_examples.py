"""Examples do what they say, with the domain alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from tests.unit.repository.repository_files import ROOT

NOTEBOOKS = sorted((ROOT / "examples/notebooks").glob("*.ipynb"))
README = (ROOT / "README.md").read_text()
WALK = """
import importlib, json, pkgutil, sys
before = set(sys.modules)
import nxt_domain, nxt_adapters.memory
for package in (nxt_domain, nxt_adapters.memory):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
tops = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps(sorted(tops - set(sys.stdlib_module_names))))
"""


def outputs(cells: list[nbformat.NotebookNode]) -> list[str]:
    return [
        "".join(output["text"] for output in cell.get("outputs", []) if output["output_type"] == "stream")
        for cell in cells
        if cell["cell_type"] == "code"
    ]


def python(*arguments: object) -> str:
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout


def test_there_is_a_notebook() -> None:
    assert [path.name for path in NOTEBOOKS] == ["pricing_a_purchase.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run_in_jupyter_and_print_what_is_stored(path: Path, tmp_path: Path) -> None:
    stored = nbformat.read(path, as_version=4)
    fresh = nbformat.from_dict(json.loads(json.dumps(stored)))
    for cell in fresh.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    NotebookClient(fresh, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert outputs(fresh.cells) == outputs(stored.cells)
    assert all(outputs(stored.cells))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run_without_jupyter(path: Path) -> None:
    assert python("tools/run_notebook.py", path).endswith("cells as stored\n")


def test_a_notebook_that_prints_something_else_is_noticed(tmp_path: Path) -> None:
    notebook = json.loads(NOTEBOOKS[0].read_text())
    code = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    code["source"] = ["print('another price')"]
    changed = tmp_path / "changed.ipynb"
    changed.write_text(json.dumps(notebook))
    command = [sys.executable, str(ROOT / "tools/run_notebook.py"), str(changed)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "another price" in done.stderr


def test_five_lines_price_a_purchase() -> None:
    lines = python("examples/domain_in_five_lines.py").splitlines()
    assert lines[1] == "NGN   2000 at NGN 287.50 a kWh buys 7.0 kWh"


def test_the_readmes_lines_print_what_they_say() -> None:
    block = README.split("```python\n")[1].split("```")[0]
    promised = block.rpartition("# ")[2].strip()
    assert python("-c", block).strip() == promised


def test_the_domain_and_its_fakes_need_attrs_and_numpy_alone() -> None:
    """A bare install has nothing else; .ci/run tries it with the wheel."""
    loaded = {name for name in json.loads(python("-c", WALK)) if not name.startswith("_sysconfigdata")}
    assert loaded <= {"attr", "attrs", "numpy", "nxt_adapters", "nxt_domain"}
