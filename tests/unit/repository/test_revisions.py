"""Migrations are one line of numbered steps on each plane."""

from __future__ import annotations

import warnings

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from nxt_entrypoints.database.migrate import Plane, script_location


@pytest.mark.parametrize("plane", ["relational", "telemetry", "messaging"])
def test_revisions_follow_each_other(plane: Plane) -> None:
    """[REL-173] Two branches that took the same number are noticed before they meet in a database."""
    config = Config()
    config.set_main_option("script_location", str(script_location(plane)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        steps = list(ScriptDirectory.from_config(config).walk_revisions())
    numbers = [step.revision for step in reversed(steps)]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]
    assert [step.down_revision for step in reversed(steps)] == [None, *numbers[:-1]]
