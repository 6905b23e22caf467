"""The chain over evidence, for every order of rows and every kind of tampering."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import attrs
from hypothesis import given
from hypothesis import strategies as st

from nxt_domain.shared.audit_chain import AuditRecord, ChainCheck, ChainFinding, linked
from nxt_domain.shared.json import Json, canonical

START = datetime(2026, 1, 31, 22, 0, tzinfo=UTC)
NOW = START + timedelta(days=90)

HOURS = st.lists(st.integers(0, 24 * 62), min_size=1, max_size=12)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False, places=4)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def rows(hours: Sequence[int]) -> list[AuditRecord]:
    return [
        AuditRecord(id=number, at=START + timedelta(hours=hour), content={"id": number, "what": f"act {number}"})
        for number, hour in enumerate(sorted(hours))
    ]


async def _each(records: Sequence[AuditRecord]) -> AsyncIterator[AuditRecord]:
    for record in records:
        yield record


def check(records: Sequence[AuditRecord], ends: dict[str, bytes]) -> Sequence[ChainFinding]:
    async def walk() -> Sequence[ChainFinding]:
        walker = ChainCheck(now=NOW, ends=ends)
        months = sorted({record.month for record in records})
        for month in months:
            ordered = sorted(
                (record for record in records if record.month == month), key=lambda each: (each.at, each.id)
            )
            await walker.month(month, _each(ordered))
        return walker.finish(months)

    return asyncio.run(walk())


@given(hours=HOURS, cut=st.integers(0, 12))
def test_whatever_is_linked_in_order_is_whole(hours: list[int], cut: int) -> None:
    """[REL-167] In one step or two."""
    records = rows(hours)
    first, ends = linked(records[:cut], {})
    second, ends = linked(records[cut:], ends)
    assert check([*first, *second], dict(ends)) == []


@given(hours=HOURS, data=st.data())
def test_any_tampering_is_found(hours: list[int], data: st.DataObject) -> None:
    """[REL-167] One row changed, removed, doubled, or given the place of another."""
    made, ends = linked(rows(hours), {})
    records = list(made)
    index = data.draw(st.integers(0, len(records) - 1))
    record = records[index]
    match data.draw(st.sampled_from(["change", "remove", "double", "relink", "forge"])):
        case "change":
            records[index] = attrs.evolve(record, content={**record.content, "what": "something else"})
        case "remove":
            del records[index]
        case "double":
            records.append(attrs.evolve(record, id=len(records)))
        case "relink":
            records[index] = attrs.evolve(record, prev_hash=b"x" * 32)
        case "forge":
            # Linked properly, but behind a row that has a follower, or behind none.
            forged, _ = linked([attrs.evolve(record, id=99, content={"id": 99})], {})
            records[index] = attrs.evolve(forged[0], at=record.at)
    assert check(records, dict(ends)) != []


@given(value=JSON_VALUES)
def test_canonical_json_is_json_and_knows_no_order(value: Json) -> None:
    """[REL-155] [REL-167] Keys sorted, no blanks; reading it and writing it again changes nothing."""
    text = canonical(value)
    again = json.loads(text, parse_float=Decimal)
    assert canonical(again) == text
    assert canonical({"b": value, "a": 1}) == canonical({"a": 1, "b": value}) == b'{"a":1,"b":' + text + b"}"
    assert b": " not in canonical({"a": {"b": [1, Decimal("1.50"), Decimal("1E+2")]}})


def test_canonical_json_by_example() -> None:
    value: Json = {"z": [1, Decimal("1.50"), Decimal("1E+2"), True, None], "a": 'é"\n', "B": {}}
    assert canonical(value).decode() == '{"B":{},"a":"é\\"\\n","z":[1,1.5,100,true,null]}'
