"""Environments that hold."""

import pytest
from settings_samples import BASE, SPLIT


@pytest.fixture
def environ() -> dict[str, str]:
    """Enough for all roles in one process, everything optional off."""
    return dict(BASE)


@pytest.fixture
def split(environ) -> dict[str, str]:
    """Enough for any single role."""
    return environ | SPLIT
