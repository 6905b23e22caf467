"""JSON on its way from the database: exact, whatever reads it."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_adapters.supabase.engine import dump_json, load_json

_NUMBERS = st.integers(-(10**30), 10**30) | st.decimals(allow_nan=False, allow_infinity=False, places=9)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(_DOCUMENTS)
def test_what_is_written_is_read_as_the_standard_library_reads_it(document: object) -> None:
    """Decimals stay exact; whole numbers stay whole."""
    text = dump_json(document)
    expected = json.loads(text, parse_float=Decimal)
    assert repr(load_json(text)) == repr(load_json(text.encode())) == repr(expected)


@pytest.mark.parametrize("text", ["1.10", "1e400", "-0.0", "1E-7", "12345678901234567890.5", "18446744073709551616"])
def test_numbers_keep_their_digits(text: str) -> None:
    """The server may hand out any of these."""
    assert repr(load_json(text)) == repr(json.loads(text, parse_float=Decimal))
