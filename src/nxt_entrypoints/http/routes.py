"""How a route is declared: one function, its inputs by type, its guard, its errors, in one place."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Any, get_type_hints

import attrs

from nxt_domain.identity.access import ACCESS, ANY_LOGIN, Access
from nxt_domain.shared.errors import DomainError
from nxt_entrypoints.http.results import FILES, Text

KIB = 1024
DEFAULT_MAX_BODY = 100 * KIB
LARGE_MAX_BODY = 5 * KIB * KIB

OPERATIONS_TAG = "operations"

Handler = Callable[..., Awaitable[Any]]

_INPUTS = frozenset({"path", "query", "headers", "body"})
_CONTEXT = frozenset({"caller", "services", "facts", "upload"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Guard(StrEnum):
    """Which credential a route asks for; each route has exactly one guard [API-42]."""

    PUBLIC = "public"
    VENDOR = "vendor"
    USER_OR_KEY = "user_or_key"
    INTERNAL = "internal"
    DATA_KEY = "data_key"
    SHARED_KEY = "shared_key"
    """One key that all callers have, as bearer token; open while there is none [DM-142]."""
    USER = "user"
    """A signed-in user of any kind; the use case judges who it is."""


@attrs.frozen(kw_only=True)
class RequestFacts:
    """What a handler may know of the request beside its inputs.

    Attributes:
        request_id: As in the log and the answer.
        client_address: The last untrusted hop [R8].
        raw_body: The bytes that were received, for signatures.
        headers: As received; look-ups ignore case.
        query: As received; of a repeated parameter, looking up gives the first value.
    """

    request_id: str
    client_address: str
    raw_body: bytes
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    query: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Dialect:
    """How paths answer that keep the habits of another system; they stand in no document of the role's.

    A whole application may have one: then its own document is its business, too.

    Attributes:
        headers: On every answer.
        refuse: Makes status and body of a refusal, from the error and the status that it has elsewhere.
        no_method: Why there is no other method. ``OPTIONS`` is answered ``ok``.
    """

    headers: Mapping[str, str]
    refuse: Callable[[DomainError, int], tuple[int, object]]
    no_method: DomainError


@attrs.frozen(kw_only=True)
class Route:
    """A declared route.

    Attributes:
        method: Upper case; ``HEAD`` follows from ``GET``.
        path: Template with ``{name}`` segments.
        handler: Coroutine function; its parameters say what it needs: ``path``, ``query``, ``headers`` and ``body``
            (typed inputs), ``caller`` (the principal), ``services`` (the role's use cases), ``facts``,
            ``upload`` (the file of a multipart body).
        access: Which kinds of caller it admits, for guard ``user_or_key``.
        live: Whether the user's session is confirmed first [API-49].
        ingress: Whether ``CHIRPSTACK_INGRESS_KEY`` is a credential, too [API-59].
        changes: Whether it changes anything; read-only tenants and read scopes stop there [R39, R42].
        status: Of success.
        limit: Name of the bucket of its rate limit; None: unlimited.
        max_body: Bytes [API-8].
        capability: The capability that must be on, else the route does not exist [API-194]; None: always.
        statuses: HTTP status by error code, where a route keeps an old client's habit.
        errors: What can go wrong, by status, for OpenAPI.
        answers: Further statuses that come with the result, by status, for OpenAPI; see ``Reply``.
        produces: Content type of a result that is a file.
        dialect: How it answers, if not as all others.
        inputs: Type of each input the handler takes.
        result: Type of its result.
    """

    method: str
    path: str
    handler: Handler
    guard: Guard
    summary: str
    tags: Sequence[str] = ()
    access: Access = ANY_LOGIN
    live: bool = False
    ingress: bool = False
    changes: bool = True
    status: int = 200
    limit: str | None = None
    max_body: int = DEFAULT_MAX_BODY
    capability: str | None = None
    statuses: Mapping[str, int] = attrs.field(factory=dict)
    errors: Mapping[int, str] = attrs.field(factory=dict)
    answers: Mapping[int, str] = attrs.field(factory=dict)
    produces: str | None = None
    dialect: Dialect | None = None
    inputs: Mapping[str, Any] = attrs.field(factory=dict)
    result: Any = None

    @cached_property
    def name(self) -> str:
        """Method and template, as documents and the configuration name it."""
        return f"{self.method} {self.path}"

    @cached_property
    def segment(self) -> str:
        """The first path segment, which scopes of keys name."""
        return self.path.split("/")[1].lower()

    @cached_property
    def parameters(self) -> Sequence[str]:
        """The names of the path's parameters."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]

    @cached_property
    def is_keyed(self) -> bool:
        """Whether an ``Idempotency-Key`` counts: the caller is known, something changes, the answer can be kept."""
        is_act = self.guard is Guard.USER_OR_KEY and self.changes and self.method != "GET"
        return is_act and self.result not in {*FILES, Text}

    def takes(self, name: str) -> bool:
        """Tell whether the handler asks for something."""
        return name in self.inputs


def route(
    method: str,
    path: str,
    *,
    guard: Guard,
    summary: str,
    tags: Sequence[str],
    access: Access | None = None,
    live: bool = False,
    ingress: bool = False,
    changes: bool | None = None,
    status: int | None = None,
    limit: str | None = None,
    max_body: int = DEFAULT_MAX_BODY,
    capability: str | None = None,
    statuses: Mapping[str, int] | None = None,
    errors: Mapping[int, str] | None = None,
    answers: Mapping[int, str] | None = None,
    produces: str | None = None,
    dialect: Dialect | None = None,
) -> Callable[[Handler], Route]:
    """Declare a route; see ``Route`` for the parameters.

    ``status`` is 201 for ``POST`` and 200 otherwise [API-12]; ``changes`` is true for all but ``GET``; ``access`` is
    the route's row of the matrix.

    Raises:
        TypeError: The handler asks for something that the frame does not know, or gives no type; or the matrix has no
            row for a route that asks who is calling.
    """

    def declare(handler: Handler) -> Route:
        inputs, result = _signature(handler)
        declared = Route(
            method=method,
            path=path,
            handler=handler,
            guard=guard,
            summary=summary,
            tags=tags,
            access=access or _access(method, path, guard),
            live=live,
            ingress=ingress,
            changes=method != "GET" if changes is None else changes,
            status=status or (201 if method == "POST" else 200),
            limit=limit,
            max_body=max_body,
            capability=capability,
            statuses=statuses or {},
            errors=errors or {},
            answers=answers or {},
            produces=produces,
            dialect=dialect,
            inputs=inputs,
            result=result,
        )
        _check(declared)
        return declared

    return declare


def _access(method: str, path: str, guard: Guard) -> Access:
    row = ACCESS.get(f"{method} {path}")
    if row is None and guard is Guard.USER_OR_KEY:
        raise TypeError(f"{method} {path}: the access matrix has no row for it")
    return row or ANY_LOGIN


def _signature(handler: Handler) -> tuple[dict[str, Any], Any]:
    hints = get_type_hints(handler, include_extras=True)
    names = list(inspect.signature(handler).parameters)
    unknown = [name for name in names if name not in _INPUTS | _CONTEXT or name not in hints]
    if unknown:
        raise TypeError(f"{handler.__qualname__}: the frame can't supply {', '.join(unknown)}")
    return {name: hints[name] for name in names}, hints.get("return")


def _check(declared: Route) -> None:
    name = f"{declared.method} {declared.path}"
    fields = [field.name for field in attrs.fields(declared.inputs["path"])] if declared.takes("path") else []
    if sorted(fields) != sorted(declared.parameters):
        raise TypeError(f"{name}: path parameters {declared.parameters} are read as {fields}")
    if declared.takes("body") and declared.takes("upload"):
        raise TypeError(f"{name}: a multipart body is read as a file or as fields, not as both")
    if declared.takes("body") and declared.method not in _WITH_BODY:
        raise TypeError(f"{name}: a {declared.method} has no body")
    if declared.takes("caller") and declared.guard in {Guard.PUBLIC, Guard.VENDOR}:
        raise TypeError(f"{name}: a {declared.guard} route knows no caller")
    if (declared.result in FILES) is not (declared.produces is not None):
        raise TypeError(f"{name}: `produces` is the content type of a file, and is declared for files alone")
