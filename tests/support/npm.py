"""Programs of node that tests talk to: their packages come from npm, once for each set of versions."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.databases import Unobtainable

_INSTALL_WITHIN_S = 180


def node() -> str:
    """Return the path of node.

    Raises:
        Unobtainable: It is not installed.
    """
    found = shutil.which("node")
    if found is None:
        raise Unobtainable("node is not installed")
    return found


def installed(sources: Path) -> Path:
    """Return a copy of a program with its packages, outside the repository.

    Args:
        sources: Folder with ``package.json``, whose versions are exact, and the program.

    Raises:
        Unobtainable: npm is missing, or the packages can't be fetched.
    """
    files = sorted(path for path in sources.iterdir() if path.is_file())
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "nxt-test" / f"{sources.name}-{digest}"
    cache.parent.mkdir(parents=True, exist_ok=True)
    with cache.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not cache.is_dir():
            _install(files, cache)
    return cache


def _install(files: list[Path], cache: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise Unobtainable(f"npm is not installed, so the packages of {cache.name} can't be fetched")
    with tempfile.TemporaryDirectory(dir=cache.parent) as making:
        for path in files:
            shutil.copy(path, making)
        command = [npm, "install", "--no-save"]
        try:
            subprocess.run(command, cwd=making, check=True, capture_output=True, text=True, timeout=_INSTALL_WITHIN_S)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            lines = [line for line in str(getattr(error, "stderr", "") or error).splitlines() if line.strip()]
            reason = lines[-1] if lines else error
            raise Unobtainable(f"the packages of {cache.name} can't be installed: {reason}") from None
        shutil.copytree(making, cache, symlinks=True)
