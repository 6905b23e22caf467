"""The simulators are a second implementation, not a mirror of the first."""

import ast
from pathlib import Path

import nxt_entrypoints.simulators as package

FOLDER = Path(package.__file__).parent


def imported(path):
    """Names of the modules that a file imports, at any depth."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_simulators_share_no_code_with_what_they_test():
    """[R33] No import of the adapters, of the domain, or of another part of the entry points."""
    files = list(FOLDER.rglob("*.py"))
    names = {(path.name, name) for path in files for name in imported(path) if name.startswith("nxt_")}
    assert len(files) > 30
    assert names
    assert {pair for pair in names if not pair[1].startswith("nxt_entrypoints.simulators")} == set()
