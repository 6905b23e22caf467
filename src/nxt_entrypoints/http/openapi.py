"""OpenAPI 3.1 from the declared routes: what is served is what is documented."""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import attrs
from apispec import APISpec
from msgspec import UnsetType

from nxt_entrypoints.http.errors import PHRASES
from nxt_entrypoints.http.results import Binary, Reply, Stream, Text
from nxt_entrypoints.http.routes import Guard, Route
from nxt_entrypoints.http.rules import Rule

JsonDict = dict[str, Any]

_ABSENT = frozenset({types.NoneType, UnsetType})
_SCALARS: Mapping[Any, JsonDict] = {
    object: {},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Decimal: {"type": "number"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
}
_SECURITY: Mapping[Guard, list[dict[str, list[str]]]] = {
    Guard.PUBLIC: [],
    Guard.VENDOR: [],
    Guard.USER_OR_KEY: [{"userToken": []}, {"apiKey": []}],
    Guard.INTERNAL: [{"apiKey": []}],
    Guard.DATA_KEY: [{"dataKey": []}],
}
_SCHEMES: Mapping[str, JsonDict] = {
    "userToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-KEY"},
    "dataKey": {"type": "http", "scheme": "bearer", "description": "An API key as bearer token."},
}
_ERROR: JsonDict = {
    "type": "object",
    "required": ["statusCode", "message", "code", "requestId"],
    "properties": {
        "statusCode": {"type": "integer", "description": "Equals the HTTP status."},
        "message": {
            "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
            "description": "For people; an array for validation errors.",
        },
        "error": {"type": "string", "description": "Reason phrase."},
        "code": {"type": "string", "description": "Stable, upper case."},
        "requestId": {"type": "string"},
    },
}
_UPLOAD: JsonDict = {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}


def openapi_document(role: str, routes: Sequence[Route], *, version: str) -> JsonDict:
    """Describe a role's routes.

    Args:
        role: Its name, in the title.
        routes: All of them.
        version: Of the software.

    Returns:
        An OpenAPI 3.1 document of plain values.
    """
    spec = APISpec(title=f"nxt {role}", version=version, openapi_version="3.1.0")
    for name, scheme in _SCHEMES.items():
        spec.components.security_scheme(name, dict(scheme))
    schemas = Schemas()
    for path in sorted({route.path for route in routes}):
        here = [route for route in routes if route.path == path]
        operations: Any = {route.method.lower(): _operation(route, schemas) for route in here}
        spec.path(path=path, operations=operations)
    for name, schema in sorted({**schemas.named, "Error": _ERROR}.items()):
        spec.components.schema(name, schema)
    document: JsonDict = spec.to_dict()
    return document


class Schemas:
    """JSON Schemas of Python types; attrs classes become named components."""

    def __init__(self) -> None:
        self.named: dict[str, JsonDict] = {}

    def of(self, hint: object) -> JsonDict:
        """Return the schema of a type hint, with the words of the rules beside it."""
        origin = get_origin(hint)
        if origin is Annotated:
            kind, *extras = get_args(hint)
            rules: JsonDict = {}
            for extra in extras:
                rules |= extra.schema if isinstance(extra, Rule) else {}
            return self.of(kind) | rules
        if origin in {Union, types.UnionType}:
            return self._union(hint)
        if hint in _SCALARS:
            return dict(_SCALARS[hint])
        if isinstance(hint, type) and issubclass(hint, Enum):
            return {"type": "string", "enum": [member.value for member in hint]}
        if isinstance(hint, type) and attrs.has(hint):
            return self._component(hint)
        return self._container(hint, origin)

    def _union(self, hint: object) -> JsonDict:
        present = [self.of(member) for member in get_args(hint) if member not in _ABSENT]
        if types.NoneType in get_args(hint):
            present.append({"type": "null"})
        return present[0] if len(present) == 1 else {"anyOf": present}

    def _container(self, hint: object, origin: object) -> JsonDict:
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of(get_args(hint)[1])}
        if isinstance(origin, type) and issubclass(origin, Sequence):
            return {"type": "array", "items": self.of(get_args(hint)[0])}
        return {"type": "object"} if hint in {dict, Mapping} else {}

    def _component(self, cls: type[Any]) -> JsonDict:
        if cls.__name__ not in self.named:
            self.named[cls.__name__] = {}  # against endless recursion
            self.named[cls.__name__] = self._object(cls)
        return {"$ref": f"#/components/schemas/{cls.__name__}"}

    def _object(self, cls: type[Any]) -> JsonDict:
        hints = get_type_hints(cls, include_extras=True)
        fields = attrs.fields(cls)
        required = [field.name for field in fields if field.default is attrs.NOTHING]
        schema: JsonDict = {
            "type": "object",
            "properties": {field.name: self.of(hints[field.name]) for field in fields},
        }
        summary = inspect.getdoc(cls)
        return schema | ({"required": required} if required else {}) | ({"description": summary} if summary else {})


def _operation(route: Route, schemas: Schemas) -> JsonDict:
    operation: JsonDict = {
        "operationId": getattr(route.handler, "__name__", route.path),
        "summary": route.summary,
        "tags": list(route.tags),
        "security": _SECURITY[route.guard],
        "responses": {str(route.status): _success(route, schemas)}
        | {str(status): _error(text) for status, text in sorted(_errors(route).items())},
    }
    description = inspect.getdoc(route.handler)
    if description:
        operation["description"] = description
    parameters = [*_parameters(route, "path", schemas), *_parameters(route, "query", schemas)]
    if parameters:
        operation["parameters"] = parameters
    if route.takes("upload"):
        operation["requestBody"] = {"content": {"multipart/form-data": {"schema": _UPLOAD}}}
    if route.takes("body"):
        operation["requestBody"] = {"content": {"application/json": {"schema": schemas.of(route.inputs["body"])}}}
    return operation


def _success(route: Route, schemas: Schemas) -> JsonDict:
    result = route.result
    if result is None or result is types.NoneType:
        return {"description": "Done; the body is empty."}
    if result is Text:
        return {"description": "Text.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    if result in {Binary, Stream}:
        return {"description": "A file.", "content": {"application/octet-stream": {}}}
    schema = {} if result is Reply else schemas.of(result)
    return {"description": "Done.", "content": {"application/json": {"schema": schema}}}


def _errors(route: Route) -> dict[int, str]:
    """Collect what the route declares and what its guard, inputs and limits bring."""
    found = {500: PHRASES[500], 503: PHRASES[503]}
    if set(route.inputs) & {"path", "query", "body"}:
        found[400] = PHRASES[400]
    if route.guard in {Guard.USER_OR_KEY, Guard.INTERNAL, Guard.DATA_KEY}:
        found[401] = PHRASES[401]
    if route.guard in {Guard.USER_OR_KEY, Guard.DATA_KEY}:
        found[403] = PHRASES[403]
    if route.takes("body") or route.takes("upload"):
        found[413] = PHRASES[413]
    if route.limit is not None:
        found[429] = PHRASES[429]
    return found | dict(route.errors)


def _error(text: str) -> JsonDict:
    return {"description": text, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}


def _parameters(route: Route, place: str, schemas: Schemas) -> list[JsonDict]:
    if not route.takes(place):
        return []
    cls = route.inputs[place]
    hints = get_type_hints(cls, include_extras=True)
    return [
        {
            "name": field.name,
            "in": place,
            "required": place == "path" or field.default is attrs.NOTHING,
            "schema": schemas.of(hints[field.name]),
        }
        for field in attrs.fields(cls)
    ]
