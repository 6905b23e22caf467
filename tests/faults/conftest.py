"""A running product that the tests of this folder share."""

from __future__ import annotations

from tests.support.shared_product import product, pytest_runtest_teardown, shared_product

__all__ = ["product", "pytest_runtest_teardown", "shared_product"]
