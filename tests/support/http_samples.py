"""Sample routes with every kind of input and result."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from decimal import Decimal

import attrs

from nxt_domain.shared.errors import Unavailable
from nxt_domain.shared.money import Currency
from nxt_entrypoints.http.body import Upload
from nxt_entrypoints.http.fields import IdPath, PurchaseAmount
from nxt_entrypoints.http.results import Binary, Stream, Text
from nxt_entrypoints.http.routes import LARGE_MAX_BODY, Guard, RequestFacts, route

PUBLIC = Guard.PUBLIC


@attrs.frozen(kw_only=True)
class Purchase:
    amount: PurchaseAmount
    currency: Currency


@attrs.frozen(kw_only=True)
class Bought:
    id: int
    amount: Decimal


@attrs.frozen(kw_only=True)
class Form:
    id: str
    status: str | None = None


@attrs.frozen(kw_only=True)
class Wanted:
    offset: int | None = None


@attrs.frozen(kw_only=True)
class Signature:
    verif_hash: str | None = None


@attrs.frozen(kw_only=True)
class Failures:
    error: Exception | None = None


@route("POST", "/things/{id}", guard=PUBLIC, summary="Buy", tags=("things",))
async def buy(path: IdPath, body: Purchase) -> Bought:
    return Bought(id=path.id, amount=body.amount)


@route("GET", "/things/{id}", guard=PUBLIC, summary="Read", tags=("things",))
async def read(path: IdPath, query: Wanted) -> dict[str, object]:
    return {"id": path.id, "offset": query.offset}


@route("GET", "/nothing", guard=PUBLIC, summary="Nothing", tags=("things",))
async def nothing() -> None: ...


@route("POST", "/nothing", guard=PUBLIC, summary="Nothing", tags=("things",))
async def post_nothing() -> None: ...


@route("POST", "/form", guard=PUBLIC, summary="Form", tags=("things",))
async def form(body: Form) -> Text:
    return Text(f"CON {body.id} {body.status}")


@route("POST", "/echo", guard=Guard.VENDOR, summary="Echo", tags=("things",), status=200, max_body=LARGE_MAX_BODY)
async def echo(headers: Signature, body: object, facts: RequestFacts) -> dict[str, object]:
    return {"body": body, "hash": headers.verif_hash, "bytes": len(facts.raw_body), "address": facts.client_address}


@route("GET", "/file", guard=PUBLIC, summary="File", tags=("things",), produces="image/png")
async def file() -> Binary:
    return Binary(content=b"\x89PNG", content_type="image/png", filename='a"b/../c.png')


@route("GET", "/stream", guard=PUBLIC, summary="Stream", tags=("things",), produces="text/csv")
async def stream() -> Stream:
    async def lines() -> AsyncGenerator[bytes]:
        for number in range(3):
            yield f"{number};x\n".encode()

    return Stream(chunks=lines(), content_type="text/csv; charset=utf-8", filename="lines.csv")


@route("GET", "/broken/{id}", guard=PUBLIC, summary="A stream that fails", tags=("things",), produces="text/csv")
async def broken(path: IdPath) -> Stream:
    async def lines() -> AsyncGenerator[bytes]:
        for number in range(path.id):
            if number == path.id - 1:
                raise Unavailable("The database can't be reached")
            yield f"{number}\n".encode()

    return Stream(chunks=lines(), content_type="text/csv; charset=utf-8")


@route("POST", "/fail", guard=PUBLIC, summary="Fail", tags=("things",), statuses={"OLD_HABIT": 500})
async def fail(services: Failures) -> None:
    if services.error is not None:
        raise services.error


@route("POST", "/upload", guard=PUBLIC, summary="Upload", tags=("things",))
async def upload(upload: Upload | None) -> dict[str, object] | None:
    if upload is None:
        return None
    return {"name": upload.filename, "type": upload.content_type, "bytes": len(upload.content)}


ROUTES = [upload, buy, read, nothing, post_nothing, form, echo, file, stream, broken, fail]
JSON = {"Content-Type": "application/json"}
