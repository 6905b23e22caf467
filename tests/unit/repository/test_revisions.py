"""The numbered steps of each schema form one chain [REL-173]."""

from __future__ import annotations

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from tests.unit.repository.repository_files import ROOT


@pytest.mark.parametrize("plane", ["relational", "telemetry"])
def test_steps_follow_one_another_by_their_numbers(plane: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "alembic" / plane))
    steps = list(ScriptDirectory.from_config(config).walk_revisions())[::-1]
    numbers = [step.revision for step in steps]
    assert numbers == [f"{place:04d}" for place in range(1, len(steps) + 1)]
    assert [step.down_revision for step in steps] == [None, *numbers[:-1]]
    assert all(step.module.__file__ and f"{step.revision}_" in step.module.__file__ for step in steps)
