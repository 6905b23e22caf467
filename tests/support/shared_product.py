"""Fixtures and hooks of the folders whose tests share a running product; their ``conftest.py`` takes them over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.running import SHARED, Product

_FOLDERS = {"e2e", "faults"}


@pytest.fixture(scope="session")
def shared_product() -> Iterator[None]:
    """Whatever ends the run ends the product as well."""
    yield
    SHARED.stop()


@pytest.fixture
def product(shared_product: None) -> Product:
    """A quick, healthy demo without traffic; tests leave it healthy."""
    return SHARED.lend()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """End the product before the tests of other folders: nobody needs it any more, and its roles go on working."""
    if nextitem is None or nextitem.path.parent.name not in _FOLDERS:
        SHARED.stop()
