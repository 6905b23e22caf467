"""OpenAPI 3.1 from the declared routes: what is served is what is documented."""

from __future__ import annotations

import inspect
import types
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

import attrs
from apispec import APISpec

from nxt_domain.shared.idempotency import LONGEST_KEY
from nxt_entrypoints.http.errors import PHRASES
from nxt_entrypoints.http.results import FILES, Reply, Text
from nxt_entrypoints.http.routes import Guard, Route
from nxt_entrypoints.http.schemas import JsonDict, Schemas, without_none

_SECURITY: Mapping[Guard, list[dict[str, list[str]]]] = {
    Guard.PUBLIC: [],
    Guard.VENDOR: [],
    Guard.USER_OR_KEY: [{"userToken": []}, {"apiKey": []}],
    Guard.INTERNAL: [{"apiKey": []}],
    Guard.DATA_KEY: [{"dataKey": []}],
    Guard.SHARED_KEY: [{"sharedKey": []}],
    Guard.USER: [{"userToken": []}],
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
        "requestId": {"type": "string", "description": "As in the header `X-Request-Id` and in the log."},
    },
}
_UPLOAD: JsonDict = {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
_RETRY_AFTER: JsonDict = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
IDEMPOTENCY_KEY: JsonDict = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
    "description": "Names this request for 7 days: sent again, it is not carried out again, and gets the first answer, "
    "with `Idempotency-Replayed: true`.",
}
_KEY_CONFLICT = "The idempotency key names another request, or one that is still being carried out"
_CONVENTIONS = (
    "Literal segments of paths match in any case, and one trailing slash is ignored. "
    "`HEAD` is answered for every `GET`. Fields that a route does not define are ignored. "
    "Where a result is nothing, the body is empty. Every answer carries `X-Request-Id`, taken over from the request "
    "if it sends one."
)


def openapi_document(role: str, routes: Sequence[Route], *, version: str) -> JsonDict:
    """Describe a role's routes.

    Args:
        role: Its name, in the title.
        routes: All of them; those with a dialect of their own are left out.
        version: Of the software.

    Returns:
        An OpenAPI 3.1 document of plain values.
    """
    spec = APISpec(title=f"nxt {role}", version=version, openapi_version="3.1.0", info={"description": _CONVENTIONS})
    for name, scheme in _SCHEMES.items():
        spec.components.security_scheme(name, dict(scheme))
    schemas = Schemas()
    routes = [route for route in routes if route.dialect is None]
    names = _operation_ids(routes)
    for path in sorted({route.path for route in routes}):
        here = [(route, name) for route, name in zip(routes, names, strict=True) if route.path == path]
        operations: Any = {route.method.lower(): _operation(route, name, schemas) for route, name in here}
        spec.path(path=path, operations=operations)
    for name, schema in sorted({**schemas.named, "Error": _ERROR}.items()):
        spec.components.schema(name, schema)
    for tag in sorted({tag for route in routes for tag in route.tags}):
        spec.tag({"name": tag})
    document: JsonDict = spec.to_dict()
    return document


def _operation_ids(routes: Sequence[Route]) -> list[str]:
    """Name each route after its handler; where handlers share a name, method and path follow."""
    names = [str(getattr(route.handler, "__name__", "operation")) for route in routes]
    count = Counter(names)
    return [
        name if count[name] == 1 else "_".join((name, route.method.lower(), *_words(route.path)))
        for route, name in zip(routes, names, strict=True)
    ]


def _words(path: str) -> list[str]:
    return ["".join(letter if letter.isalnum() else "_" for letter in part.strip("{}")) for part in path.split("/")[1:]]


def _operation(route: Route, name: str, schemas: Schemas) -> JsonDict:
    success = _success(route, schemas)
    operation: JsonDict = {
        "operationId": name,
        "summary": route.summary,
        "tags": list(route.tags),
        "security": _SECURITY[route.guard],
        "responses": {
            str(route.status): success,
            **{str(status): _error(status, text) for status, text in sorted(_errors(route).items())},
            **{str(status): success | {"description": text} for status, text in route.answers.items()},
        },
    }
    description = inspect.getdoc(route.handler)
    if description:
        operation["description"] = description
    parameters = [parameter for place in _PLACES for parameter in _parameters(route, place, schemas)]
    parameters += [IDEMPOTENCY_KEY] if route.is_keyed else []
    if parameters:
        operation["parameters"] = parameters
    if route.takes("upload"):
        operation["requestBody"] = {"content": {"multipart/form-data": {"schema": _UPLOAD}}}
    if route.takes("body"):
        operation["requestBody"] = {"content": {"application/json": {"schema": schemas.of(route.inputs["body"])}}}
    return operation


def _success(route: Route, schemas: Schemas) -> JsonDict:
    result, may_be_nothing = without_none(route.result)
    if result in {None, types.NoneType}:
        return {"description": "Done; the body is empty."}
    if result is Text:
        return {"description": "Text.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    if result in FILES:
        return {"description": "A file.", "content": {str(route.produces): {}}}
    schema = schemas.of(get_args(result)[0] if get_origin(result) is Reply else result)
    description = "Done; the body is empty where there is nothing." if may_be_nothing else "Done."
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _errors(route: Route) -> dict[int, str]:
    """Collect what the route declares and what its guard, inputs and limits bring."""
    found = {500: PHRASES[500], 503: PHRASES[503]}
    if set(route.inputs) & {"path", "query", "body", "upload"}:
        found[400] = PHRASES[400]
    if route.guard in {Guard.USER_OR_KEY, Guard.INTERNAL, Guard.DATA_KEY}:
        found[401] = PHRASES[401]
    if route.guard in {Guard.USER_OR_KEY, Guard.DATA_KEY}:
        found[403] = PHRASES[403]
    if route.takes("body") or route.takes("upload"):
        found[413] = PHRASES[413]
    if route.limit is not None:
        found[429] = "More calls a minute than `security.publicRequestsPerMinute` grants one address, 30 by default."
    found |= route.errors
    if route.is_keyed:
        found |= {400: found.get(400, PHRASES[400]), 409: _or(found.get(409), f"{_KEY_CONFLICT}.")}
    return found


def _or(first: str | None, second: str) -> str:
    return second if first is None else f"{first.removesuffix('.')}. {second}"


def _error(status: int, text: str) -> JsonDict:
    answer: JsonDict = {
        "description": text,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    return answer | ({"headers": _RETRY_AFTER} if status in {429, 503} else {})


_PLACES: Mapping[str, str] = {"path": "path", "query": "query", "headers": "header"}


def _parameters(route: Route, place: str, schemas: Schemas) -> list[JsonDict]:
    if not route.takes(place):
        return []
    cls = route.inputs[place]
    properties = schemas.properties(cls)
    return [
        {
            "name": field.name.replace("_", "-") if place == "headers" else field.name,
            "in": _PLACES[place],
            "required": place == "path" or field.default is attrs.NOTHING,
            "schema": _of_text(properties[field.name]),
        }
        for field in attrs.fields(cls)
    ]


def _of_text(schema: JsonDict) -> JsonDict:
    """A parameter is text: it is absent, never null."""
    present = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    return {**present[0], **{key: schema[key] for key in schema if key != "anyOf"}} if len(present) == 1 else schema
