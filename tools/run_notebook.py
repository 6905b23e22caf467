"""Run a notebook with nothing but Python, and compare what it prints with what is stored in it.

Run: python tools/run_notebook.py examples/notebooks/pricing_a_purchase.ipynb

For environments without Jupyter, such as one that holds the domain alone. Only text that cells print is compared.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import json
import sys
from pathlib import Path
from typing import Any


def cells_of(notebook: Path) -> list[dict[str, Any]]:
    """Return the code cells."""
    return [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]


def printed(cell: dict[str, Any]) -> str:
    """Return what the stored cell printed."""
    return "".join("".join(output["text"]) for output in cell["outputs"] if output["output_type"] == "stream")


async def run(cell: dict[str, Any], names: dict[str, Any]) -> str:
    """Run one cell, in which ``await`` may stand at the top, and return what it prints."""
    code = compile("".join(cell["source"]), "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        result = eval(code, names)  # noqa: S307 - running the notebook is the purpose
        if inspect.isawaitable(result):
            await result
    return output.getvalue()


async def check(notebook: Path) -> int:
    """Run all cells in their order.

    Returns:
        How many ran.

    Raises:
        SystemExit: A cell prints something else than before.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = cells_of(notebook)
    for number, cell in enumerate(cells, start=1):
        now, before = await run(cell, names), printed(cell)
        if now != before:
            sys.exit(f"{notebook.name}, code cell {number} prints now:\n{now}\nand is stored with:\n{before}")
    return len(cells)


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        sys.stdout.write(f"{path.name}: {asyncio.run(check(path))} cells as stored\n")
