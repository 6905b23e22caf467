"""The documents of all roles describe what is served, and need no other host to be read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

import attrs
import pytest
from jsonschema import Draft202012Validator
from msgspec import UNSET, UnsetType
from tests.support.http_samples import ROUTES

from nxt_domain.shared.money import Currency
from nxt_domain.shared.paging import Page
from nxt_entrypoints.http.catalogue import openapi_documents, routes_by_role
from nxt_entrypoints.http.docs_page import docs_page
from nxt_entrypoints.http.openapi import openapi_document
from nxt_entrypoints.http.results import Reply
from nxt_entrypoints.http.routes import Guard, route
from nxt_entrypoints.http.rules import maximum, minimum
from nxt_entrypoints.http.schemas import Schemas

DOCUMENTS = openapi_documents()
OPERATIONS = [
    (role, path, method, operation)
    for role, document in DOCUMENTS.items()
    for path, item in document["paths"].items()
    for method, operation in item.items()
]
IDS = [f"{role} {method} {path}" for role, path, method, _ in OPERATIONS]


@attrs.frozen(kw_only=True)
class Lamp:
    """Something that shines.

    Attributes:
        power_w: Power taken, W,
            when on.
    """

    power_w: Decimal
    colour: Literal["warm", "cold"] = "warm"
    names: Mapping[str, Sequence[str]] | None = None
    twin: Lamp | UnsetType = UNSET


@attrs.frozen
class LampQuery:
    """What is asked.

    Attributes:
        count: How many <b>lamps</b>, `0` for none.
    """

    count: Annotated[int, minimum(0), maximum(9)] = 5


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (Annotated[int, minimum(1), maximum(5)], {"type": "integer", "minimum": 1, "maximum": 5}),
        (str | None, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (bool | UnsetType, {"type": "boolean"}),
        (Currency, {"type": "string", "enum": [currency.value for currency in Currency]}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (frozenset[str], {"type": "array", "items": {"type": "string"}}),
        (dict[str, Decimal], {"type": "object", "additionalProperties": {"type": "number"}}),
        (object, {}),
        (Page[Lamp], {"$ref": "#/components/schemas/PageOfLamp"}),
    ],
)
def test_each_type_has_its_schema(hint: Any, schema: dict[str, object]) -> None:
    """[R11]"""
    assert Schemas().of(hint) == schema


def test_a_generic_result_is_described_for_its_items() -> None:
    """[R41] A page of lamps is no page of anything."""
    schemas = Schemas()
    schemas.of(Page[Lamp])
    page, lamp = schemas.named["PageOfLamp"], schemas.named["Lamp"]
    assert page["properties"]["items"]["items"] == {"$ref": "#/components/schemas/Lamp"}
    assert page["properties"]["items"]["description"] == "In ascending order of their ids."
    assert page["required"] == ["items", "next"]
    assert lamp["description"] == "Something that shines."
    assert lamp["properties"]["power_w"] == {"type": "number", "description": "Power taken, W, when on."}
    assert lamp["properties"]["colour"] == {"enum": ["warm", "cold"], "default": "warm"}
    assert lamp["properties"]["twin"] == {"$ref": "#/components/schemas/Lamp"}
    assert lamp["required"] == ["power_w"]


def test_classes_of_one_name_are_told_apart() -> None:
    @attrs.frozen
    class Page:
        leaf: str

    schemas = Schemas()
    from nxt_domain.shared.paging import Page as Keyset  # noqa: PLC0415 - the name clashes on purpose

    first, second = schemas.of(Keyset), schemas.of(Page)
    assert first != second
    assert set(schemas.named) == {"Page", "TestHttpOpenapiPage"}


def test_files_further_answers_and_limits_are_described() -> None:
    """[API-14] [API-17] [API-40]"""

    @route("GET", "/state", guard=Guard.PUBLIC, summary="", tags=(), answers={503: "Away."}, limit="public-orders")
    async def state() -> Reply[Lamp]: ...

    paths = openapi_document("api", [*ROUTES, state], version="1")["paths"]
    assert list(paths["/stream"]["get"]["responses"]["200"]["content"]) == ["text/csv"]
    assert list(paths["/file"]["get"]["responses"]["200"]["content"]) == ["image/png"]
    answers = paths["/state"]["get"]["responses"]
    lamp = {"application/json": {"schema": {"$ref": "#/components/schemas/Lamp"}}}
    assert answers["200"]["content"] == answers["503"]["content"] == lamp
    assert "Retry-After" in answers["429"]["headers"]
    with pytest.raises(TypeError, match="content type of a file"):
        route("GET", "/wrong", guard=Guard.PUBLIC, summary="", tags=(), produces="text/csv")(state.handler)


@pytest.mark.parametrize("role", DOCUMENTS)
def test_each_operation_has_a_name_of_its_own(role: str) -> None:
    """[API-40] Generated clients name their functions after it."""
    names = [operation["operationId"] for owner, _, _, operation in OPERATIONS if owner == role]
    assert [name for name, count in Counter(names).items() if count > 1] == []
    assert all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) for name in names)


@pytest.mark.parametrize("role", DOCUMENTS)
def test_each_schema_is_sound_and_each_reference_leads_somewhere(role: str) -> None:
    """[API-40]"""
    components = DOCUMENTS[role]["components"]["schemas"]
    for schema in components.values():
        Draft202012Validator.check_schema(schema)
    references = set(re.findall(r"#/components/schemas/(\w+)", str(DOCUMENTS[role])))
    assert references <= set(components)


@pytest.mark.parametrize(("role", "path", "method", "operation"), OPERATIONS, ids=IDS)
def test_each_operation_is_whole(role: str, path: str, method: str, operation: dict[str, Any]) -> None:
    """[API-15] [API-40] A summary, tags the document knows, every answer described, no shapeless result."""
    assert operation["summary"]
    assert {tag["name"] for tag in DOCUMENTS[role]["tags"]} >= set(operation["tags"]) > set()
    for status, answer in operation["responses"].items():
        assert answer["description"], status
        assert {} not in list(_schemas(answer)), f"the result of {method} {path} has no shape"
    assert {"500", "503"} <= set(operation["responses"])


def _schemas(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for media, content in answer.get("content", {}).items():
        if media == "application/json" and "schema" in content:
            yield content["schema"]


@pytest.mark.parametrize("role", DOCUMENTS)
def test_the_page_for_people_names_no_other_host(role: str) -> None:
    """[API-40] It works offline: no script, font, style or picture of another host, nor of this one."""
    page = docs_page(DOCUMENTS[role])
    assert re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]+", page) == []
    assert re.findall(r"<(?:script|img|link|iframe)|@import|url\(", page) == []
    for declared in routes_by_role()[role]:
        assert declared.path in page


def test_the_page_for_people_says_what_goes_in_and_out() -> None:
    """[API-40] In words, with links that lead somewhere; what clients may write can't become markup."""

    @route("GET", "/lamps", guard=Guard.PUBLIC, summary="List <lamps>", tags=("lamps & more",))
    async def lamps(query: LampQuery) -> Page[Lamp]: ...

    page = docs_page(openapi_document("api", [lamps], version="1"))
    assert "<td>integer, at least 0, at most 9, default 5</td>" in page
    assert "How many &lt;b&gt;lamps&lt;/b&gt;, <code>0</code> for none." in page
    assert "List &lt;lamps&gt;" in page
    assert '<a href="#PageOfLamp"><code>PageOfLamp</code></a>' in page
    anchors = set(re.findall(r'id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= anchors
