"""The page about access is the table about access."""

from __future__ import annotations

import importlib.util

from tests.unit.repository.repository_files import ROOT

TOOL = ROOT / "tools" / "access_page.py"


def test_the_page_is_what_the_table_says() -> None:
    """[API-68] Stale? ``python tools/access_page.py`` writes it anew."""
    spec = importlib.util.spec_from_file_location("access_page", TOOL)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert (ROOT / "docs/access.md").read_text() == tool.render(), "run: python tools/access_page.py"
