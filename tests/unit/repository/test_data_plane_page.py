"""The page about direct clients shows the access table of direct clients."""

from __future__ import annotations

import importlib.util

from tests.unit.repository.repository_files import ROOT

TOOL = ROOT / "tools" / "data_plane_page.py"


def test_the_page_is_what_the_rules_say() -> None:
    """[API-209] Stale? ``python tools/data_plane_page.py`` writes it anew."""
    spec = importlib.util.spec_from_file_location("data_plane_page", TOOL)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    page = (ROOT / "docs/data-plane.md").read_text()
    assert page == tool.render(page), "run: python tools/data_plane_page.py"
    assert page.count("\n| `") > 40
