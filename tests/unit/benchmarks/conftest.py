"""The benchmarks are scripts in a folder of their own; these tests import and run them as they stand."""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / "benchmarks"
sys.path.append(str(FOLDER))
