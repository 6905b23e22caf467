"""Remake ``requirements.lock``: the newest versions that fit ``pyproject.toml``, of everything that ``all`` brings.

Run: python tools/lock.py

Installs into a virtual environment of its own and writes down what came: names and versions, no addresses. The lock is
a set of constraints (``pip install -c requirements.lock …``), so one file serves every extra. Use the lowest Python
that the project supports, down to the first patch (3.11.0): a library that only an older Python needs is then in the
lock, and a newer one ignores it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
HEADER = """\
# Versions of everything that extra "all" brings. Constraints, not requirements: pip install -c requirements.lock …
# Remade by: python tools/lock.py
"""


def pinned(frozen: Iterable[str]) -> Iterator[str]:
    """Keep ``name==version`` lines of ``pip freeze``, names normalised.

    The project itself stands there with an address and is left out.

    Raises:
        SystemExit: Another line has an address: such a version can't be had by its name.
    """
    for line in frozen:
        name, equals, version = line.strip().partition("==")
        if equals and "@" not in line:
            yield f"{name.lower().replace('_', '-').replace('.', '-')}=={version}"
        elif line.strip() and not line.startswith("nxt-backend "):
            sys.exit(f"no version: {line.strip()}")


def main() -> None:
    """Write the lock."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        _pip(python, "install", "-qq", f"{ROOT}[all]")
        lines = sorted(pinned(_pip(python, "freeze").splitlines()))
    LOCK.write_text(HEADER + "".join(f"{line}\n" for line in lines))


def _pip(python: Path, *arguments: str) -> str:
    command = [python, "-m", "pip", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - its own pip
    return done.stdout


if __name__ == "__main__":
    main()
