"""Each of the cases that PAY-198 lists has a test that cites it by its number."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[2]
_CITED = re.compile(r"\[PAY-198\] (\d+)")
_ITSELF = Path(__file__).name


@pytest.fixture(scope="module")
def cited() -> set[int]:
    texts = [path.read_text() for path in TESTS.rglob("test_*.py") if path.name != _ITSELF]
    return {int(number) for text in texts for number in _CITED.findall(text)}


def test_every_case_of_payments_is_tested(cited: set[int]) -> None:
    """Cases 1 to 20; 21, the walks through the phone menus, is told in the words of AUTO 10."""
    assert cited - {21} == set(range(1, 21))


def test_no_case_is_cited_without_its_number() -> None:
    for path in TESTS.rglob("test_*.py"):
        if path.name != _ITSELF:
            assert path.read_text().count("[PAY-198]") == len(_CITED.findall(path.read_text())), path.name
