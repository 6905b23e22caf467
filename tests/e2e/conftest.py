"""A running product that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.running import SHARED, Product


@pytest.fixture(scope="session")
def _shared_product() -> Iterator[None]:
    yield
    SHARED.stop()


@pytest.fixture
def product(_shared_product: None) -> Product:
    """A quick, healthy demo without traffic; tests leave it healthy."""
    return SHARED.lend()
