"""The vocabulary of validation."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import attrs
import pytest
from msgspec import UNSET, UnsetType

from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.money import Currency
from nxt_entrypoints.http.fields import Id, PurchaseAmount
from nxt_entrypoints.http.inputs import ValidationFailed, read_body, read_path, shape_of
from nxt_entrypoints.http.rules import (
    EMAIL,
    LATITUDE,
    LONGITUDE,
    NOT_BLANK,
    NOT_EMPTY,
    PHONE,
    POSITIVE,
    Rule,
    max_length,
    maximum,
    minimum,
    read_instant,
)

NUMBER = "must be a number conforming to the specified constraints"


@attrs.frozen(kw_only=True)
class Order:
    amount: PurchaseAmount
    currency: Currency
    note: Annotated[str, NOT_EMPTY]
    external_reference: str | None = None
    count: int | None = None


@attrs.frozen(kw_only=True)
class Update:
    id: Id
    name: str | UnsetType | None = UNSET


@attrs.frozen(kw_only=True)
class Nested:
    order: Order
    updates: list[Update]
    details: dict[str, object] | None = None
    is_on: bool = False
    at: datetime | None = None


def texts(kind: Any, value: Any) -> list[str]:
    with pytest.raises(ValidationFailed) as refused:
        read_body(kind, value)
    return list(refused.value.messages)


def test_a_good_body_becomes_a_typed_object() -> None:
    """[API-9] [API-10] Unknown fields are gone; null equals absence."""
    body = {"amount": 5, "currency": "NGN", "note": "x", "external_reference": None, "order_status": "COMPLETED"}
    assert read_body(Order, body) == Order(amount=Decimal(5), currency=Currency.NGN, note="x")
    assert isinstance(read_body(Order, body).amount, Decimal)


@pytest.mark.parametrize("body", [None, {}, {"amount": None, "currency": None, "note": None}])
def test_absent_required_fields_yield_the_texts_of_all_their_rules(body: object) -> None:
    """[API-22] [PAY-10]"""
    assert texts(Order, body) == [
        f"amount {NUMBER}",
        "amount must be a positive number",
        "amount must not be less than 1",
        "amount must not be greater than 10000000",
        "amount must have at most 2 decimal places",
        "currency must be one of the following values: USD, NGN, EUR",
        "note must be a string",
        "note should not be empty",
    ]


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("5", 5),
        (True, 5),
        ([], 5),
        ({}, 5),
        (0, ["amount must be a positive number", "amount must not be less than 1"]),
        (Decimal("0.5"), ["amount must not be less than 1"]),
        (Decimal("1.005"), ["amount must have at most 2 decimal places"]),
        (10_000_001, ["amount must not be greater than 10000000"]),
        (Decimal("-1E30"), ["amount must be a positive number", "amount must not be less than 1"]),
    ],
)
def test_each_rule_of_a_number_has_its_text(amount: object, expected: list[str] | int) -> None:
    """[API-11] [PAY-4] [R13] A numeric string and a boolean are no numbers, and break every rule of one."""
    found = texts(Order, {"amount": amount, "currency": "NGN", "note": "x"})
    assert (len(found) if isinstance(expected, int) else found) == expected


@pytest.mark.parametrize("amount", [1, Decimal("1.5"), Decimal("1.50"), Decimal("1E3"), 10_000_000, Decimal("9.990")])
def test_amounts_within_all_rules_pass(amount: int | Decimal) -> None:
    """[PAY-4] Trailing zeros are no decimal places."""
    assert read_body(Order, {"amount": amount, "currency": "NGN", "note": "x"}).amount == amount


def test_all_violations_come_together() -> None:
    """[API-22]"""
    assert texts(
        Order, {"amount": 5, "currency": "ngn", "note": "", "external_reference": 1, "count": Decimal("1.5")}
    ) == [
        "currency must be one of the following values: USD, NGN, EUR",
        "note should not be empty",
        "external_reference must be a string",
        "count must be an integer number",
    ]


@pytest.mark.parametrize("count", [5, Decimal("5.0"), Decimal("5E0")])
def test_whole_numbers_are_integers_however_they_are_written(count: object) -> None:
    """[API-11]"""
    read = read_body(Order, {"amount": 5, "currency": "NGN", "note": "x", "count": count})
    assert (read.count, type(read.count)) == (5, int)


@pytest.mark.parametrize("body", [[], "x", 5, True, [{}]])
def test_what_is_no_object_is_told_so(body: object) -> None:
    """[API-38]"""
    assert texts(Order, body) == ["body must be an object"]


def test_elements_of_an_array_are_told_by_their_index() -> None:
    """[API-23]"""
    assert texts(list[Update], [{"id": 1}, {"id": "2"}, 5]) == [
        f"1.id {NUMBER}",
        "1.id must be an integer number",
        "1.id must not be less than 1",
        "1.id must not be greater than 2147483647",
        "2.element must be an object",
    ]
    assert read_body(list[Update], [{"id": 1}, {"id": 2}]) == [Update(id=1), Update(id=2)]


@pytest.mark.parametrize("body", [None, {}, "x"])
def test_a_missing_array_is_told_so(body: object) -> None:
    """[API-23]"""
    assert texts(list[Update], body) == ["body must be an array"]


def test_where_it_matters_null_clears_and_absence_leaves() -> None:
    """[API-10]"""
    assert read_body(Update, {"id": 1, "name": None}) == Update(id=1, name=None)
    assert read_body(Update, {"id": 1}) == Update(id=1, name=UNSET)


def test_nested_objects_and_lists_are_checked_by_their_path() -> None:
    """[API-22]"""
    assert texts(Nested, {"order": {"amount": 1, "currency": "NGN"}, "updates": [{}, {"id": 0}], "is_on": "true"}) == [
        "order.note must be a string",
        "order.note should not be empty",
        f"updates.0.id {NUMBER}",
        "updates.0.id must be an integer number",
        "updates.0.id must not be less than 1",
        "updates.0.id must not be greater than 2147483647",
        "updates.1.id must not be less than 1",
        "is_on must be a boolean value",
    ]
    assert texts(Nested, {"order": 1, "updates": {}, "details": [], "at": 5}) == [
        "order must be an object",
        "updates must be an array",
        "details must be an object",
        "at must be a valid ISO 8601 date string",
    ]
    good = {"order": {"amount": 1, "currency": "NGN", "note": "x"}, "updates": [{"id": 3}], "details": {"a": 1}}
    assert read_body(Nested, good) == Nested(
        order=Order(amount=Decimal(1), currency=Currency.NGN, note="x"), updates=[Update(id=3)], details={"a": 1}
    )


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (
            EMAIL,
            ["a@b.co", "first.last+tag@sub.example.org"],
            ["a", "a@b", "@b.co", "a@b.co ", "a@@b.co", 5, None, "a b@c.de"],
        ),
        (
            PHONE,
            ["+2348031234567", "+234 803 123 4567", "+447911123456"],
            ["2348031234567", "08031234567", "+234123", "", "+", "+999123456789", None, 5, "+2348031234567\0" * 9],
        ),
        (NOT_BLANK, ["a", " a ", 5], ["", "   ", "\t\n", None]),
        (LATITUDE, [90, -90, "45.5", Decimal("-0.1")], [91, "91", "x", None, True, "9e1", "", [1]]),
        (LONGITUDE, [180, -180, "179.9999"], [181, "-180.1", "x", None, {}]),
        (NOT_EMPTY, ["x", 0, [], False], ["", None]),
        (POSITIVE, [1, Decimal("0.1")], [0, -1, "1", True, None]),
        (minimum(3), [3, 4], [2, "3", None]),
        (maximum(3), [3, 2], [4, "3", None]),
        (max_length(2), ["", "ab"], ["abc", 5, None]),
    ],
)
def test_rules_accept_and_refuse(rule: Rule, good: list[object], bad: list[object]) -> None:
    """[API-22] [API-24] [API-25]"""
    assert [value for value in good if not rule.holds(value)] == []
    assert [value for value in bad if rule.holds(value)] == []


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-10T09:15:02.123Z", datetime(2026, 3, 10, 9, 15, 2, 123_000, tzinfo=UTC)),
        ("2026-03-10T10:15:02+01:00", datetime(2026, 3, 10, 9, 15, 2, tzinfo=UTC)),
        ("2026-03-10T09:15:02", datetime(2026, 3, 10, 9, 15, 2, tzinfo=UTC)),
        ("2026-03-10", datetime(2026, 3, 10, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("2026-13-01", None),
        ("20260310", None),
        ("yesterday", None),
        ("", None),
        (5, None),
    ],
)
def test_instants_without_offset_are_utc(text: object, instant: datetime | None) -> None:
    """[API-28]"""
    assert read_instant(text) == instant


@attrs.frozen(kw_only=True)
class Path:
    id: Id


@pytest.mark.parametrize("text", ["abc", "1.5", "", "1e3", "0x10", " 1", "١", "1" * 30])
def test_an_id_in_the_path_is_a_base_10_integer(text: str) -> None:
    """[API-18] [API-27] [TEL-184]"""
    with pytest.raises(InvalidInput) as refused:
        read_path(Path, {"id": text})
    assert refused.value.message == "Validation failed (numeric string is expected)"
    assert not isinstance(refused.value, ValidationFailed)


@attrs.frozen(kw_only=True)
class Query:
    count: int | None = None
    ratio: Decimal | None = None
    is_on: bool = False
    name: str | None = None


def test_queries_are_read_from_text() -> None:
    read = shape_of(Query).read_texts({"count": "12", "ratio": "0.5", "is_on": "true", "name": "7", "other": "x"})
    assert read == Query(count=12, ratio=Decimal("0.5"), is_on=True, name="7")
    with pytest.raises(ValidationFailed) as refused:
        shape_of(Query).read_texts({"count": "x", "is_on": "yes"})
    assert refused.value.messages == (
        f"count {NUMBER}",
        "count must be an integer number",
        "is_on must be a boolean value",
    )
