"""What every route of every role has in common, over a real socket."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from tests.support.http_samples import JSON, ROUTES, Failures, echo
from tests.unit.http.conftest import Serve

from nxt_domain.shared.errors import (
    Conflict,
    DomainError,
    Forbidden,
    InvalidInput,
    NotAcceptable,
    NotFound,
    TooManyRequests,
    Unavailable,
    Unprocessable,
    UpstreamFailed,
)
from nxt_entrypoints.http.app import HttpSettings
from nxt_entrypoints.http.body import MAX_UPLOAD
from nxt_entrypoints.http.routes import LARGE_MAX_BODY


@pytest.fixture
async def client(serve: Serve) -> Any:
    return await serve(ROUTES, Failures())


async def body_of(response: Any) -> dict[str, Any]:
    """Return an error body without what R40 adds, after checking that."""
    body: dict[str, Any] = await response.json()
    assert body.pop("requestId") == response.headers["X-Request-Id"]
    assert body.pop("code").isupper()
    assert body["statusCode"] == response.status
    return body


@pytest.mark.parametrize(
    ("method", "path", "data", "expected"),
    [
        ("GET", "/nope", None, {"message": "Cannot GET /nope", "error": "Not Found", "statusCode": 404}),
        (
            "GET",
            "/things/abc",
            None,
            {
                "message": "Validation failed (numeric string is expected)",
                "error": "Bad Request",
                "statusCode": 400,
            },
        ),
        (
            "POST",
            "/things/5",
            b'{"amount":0,"currency":"X"}',
            {
                "message": [
                    "amount must be a positive number",
                    "amount must not be less than 1",
                    "currency must be one of the following values: USD, NGN, EUR",
                ],
                "error": "Bad Request",
                "statusCode": 400,
            },
        ),
        ("POST", "/things/5", b"x" * 102_401, {"statusCode": 413, "message": "request entity too large"}),
    ],
)
async def test_the_examples_of_the_contract(
    client: Any, method: str, path: str, data: bytes | None, expected: dict[str, object]
) -> None:
    """[API-8] [API-15] [API-18] [R40]"""
    response = await client.request(method, path, data=data, headers=JSON)
    assert await body_of(response) == expected
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"


async def test_broken_json_is_told_in_the_parsers_words(client: Any) -> None:
    """[API-18]"""
    body = await body_of(await client.post("/things/5", data=b"{bad json", headers=JSON))
    assert isinstance(body.pop("message"), str)
    assert body == {"error": "Bad Request", "statusCode": 400}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
async def test_an_unlisted_method_is_an_unknown_route(serve: Serve, method: str) -> None:
    """[API-19] [API-35] Without CORS a preflight is nothing special."""
    client = await serve(ROUTES, Failures(), settings=HttpSettings())
    body = await body_of(await client.request(method, "/things/5?x=1"))
    assert body == {"message": f"Cannot {method} /things/5", "error": "Not Found", "statusCode": 404}


async def test_success_has_the_status_of_its_method(client: Any) -> None:
    """[API-2] [API-12] [PAY-3]"""
    made = await client.post("/THINGS/5/", data=b'{"amount":1000.50,"currency":"NGN"}', headers=JSON)
    assert (made.status, await made.text()) == (201, '{"id":5,"amount":1000.5}')
    assert (await client.get("/things/5")).status == 200
    assert (await client.post("/echo", data=b"{}", headers=JSON)).status == 200


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("POST", 201)])
async def test_nothing_is_an_empty_body(client: Any, method: str, status: int) -> None:
    """[API-13]"""
    response = await client.request(method, "/nothing", headers=JSON)
    assert (response.status, await response.read()) == (status, b"")
    assert response.headers["Content-Length"] == "0"
    assert "Content-Type" not in response.headers


async def test_head_has_the_headers_of_get(client: Any) -> None:
    """[API-3]"""
    for path in ("/things/5", "/nothing", "/stream", "/file", "/healthz"):
        got, head = await client.get(path), await client.head(path)
        assert head.status == got.status == 200
        assert await head.read() == b""
        ignored = {"Date", "X-Request-Id", "X-Request-ID", "Transfer-Encoding"}
        assert {k: v for k, v in head.headers.items() if k not in ignored} == {
            k: v for k, v in got.headers.items() if k not in ignored
        }
    assert (await client.head("/form")).status == 404


@pytest.mark.parametrize("content", [None, b"", b"  "])
async def test_json_without_a_body_is_no_body(client: Any, content: bytes | None) -> None:
    """[API-7] Fine where nothing is needed; 400, never 500, where something is."""
    assert (await client.get("/things/5", data=content, headers=JSON)).status == 200
    assert (await client.post("/nothing", data=content, headers=JSON)).status == 201
    refused = await client.post("/things/5", data=content, headers=JSON)
    assert "currency must be one of the following values: USD, NGN, EUR" in (await body_of(refused))["message"]


async def test_forms_have_string_values(client: Any) -> None:
    """[API-6] [API-11] [API-14]"""
    answer = await client.post("/form", data={"id": "a+b ü", "status": "", "extra": "1"})
    assert (answer.status, await answer.text()) == (201, "CON a+b ü ")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    refused = await client.post("/things/5", data={"amount": "5", "currency": "NGN"})
    assert "amount must be a number conforming to the specified constraints" in (await body_of(refused))["message"]


async def test_other_content_types_bring_no_fields(client: Any) -> None:
    assert (await client.post("/form", data=b"id=5", headers={"Content-Type": "text/plain"})).status == 400
    assert (await client.post("/nothing", data=b"\x00\xff", headers={"Content-Type": "image/png"})).status == 201


async def test_large_bodies_pass_only_where_they_are_declared(client: Any) -> None:
    """[API-8] Counted after decompression, and without a declared length, too."""
    large = json.dumps({"x": "y" * 1_000_000}).encode()
    assert (await (await client.post("/echo", data=large, headers=JSON)).json())["bytes"] == len(large)
    assert (await client.post("/echo", data=b"x" * (LARGE_MAX_BODY + 1), headers=JSON)).status == 413

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * 1000

    assert (await client.post("/things/5", data=chunks(), headers=JSON)).status == 413
    bomb = gzip.compress(b" " * 10_000_000)
    assert len(bomb) < 100_000
    packed = {**JSON, "Content-Encoding": "gzip"}
    assert (await client.post("/things/5", data=bomb, headers=packed)).status == 413
    assert (await client.post("/things/5", data=b"no gzip", headers=packed)).status == 400
    good = gzip.compress(b'{"amount":5,"currency":"NGN"}')
    assert (await client.post("/things/5", data=good, headers=packed)).status == 201


@pytest.mark.parametrize(
    ("error", "status", "phrase"),
    [
        (InvalidInput("One sentence"), 400, "Bad Request"),
        (Forbidden("You do not have access to this resource"), 403, "Forbidden"),
        (NotFound("Gone"), 404, "Not Found"),
        (NotAcceptable("Too late"), 406, "Not Acceptable"),
        (Conflict("Twice"), 409, "Conflict"),
        (Unprocessable("Refused"), 422, "Unprocessable Entity"),
        (TooManyRequests(retry_after_s=7), 429, "Too Many Requests"),
        (UpstreamFailed("The gateway answered wrongly"), 502, "Bad Gateway"),
        (Unavailable("The database can't be reached"), 503, "Service Unavailable"),
        (DomainError("An old client expects 500", code="OLD_HABIT"), 500, "Internal Server Error"),
        (NotFound("An old client expects 500", code="OLD_HABIT"), 500, "Internal Server Error"),
    ],
)
async def test_each_kind_of_error_has_its_status(serve: Serve, error: DomainError, status: int, phrase: str) -> None:
    """[API-15] [API-16] [API-17] [PAY-9] [PAY-59]"""
    client = await serve(ROUTES, Failures(error=error))
    response = await client.post("/fail")
    assert (await response.json())["code"] == error.code
    assert await body_of(response) == {"statusCode": status, "message": error.message, "error": phrase}
    assert response.headers.get("Retry-After") == {429: "7", 503: "5"}.get(status)


async def test_several_texts_are_an_array(serve: Serve) -> None:
    """[API-17]"""
    client = await serve(ROUTES, Failures(error=InvalidInput(["One", "Two"])))
    assert (await body_of(await client.post("/fail")))["message"] == ["One", "Two"]


@pytest.mark.parametrize("error", [RuntimeError("password=hunter2"), DomainError("secret kind"), KeyError("x")])
async def test_a_defect_tells_nothing_of_itself(serve: Serve, error: Exception) -> None:
    """[API-17] [API-21] [API-38] It is logged, counted, and the role goes on."""
    registry = CollectorRegistry()
    client = await serve(ROUTES, Failures(error=error), registry=registry)
    with capture_logs() as logs:
        response = await client.post("/fail")
    body = await body_of(response)
    assert body == {"statusCode": 500, "message": "Internal server error", "error": "Internal Server Error"}
    defect = next(log for log in logs if log["log_level"] == "error")
    assert defect["exc_info"] is error
    labels = {"role": "api", "method": "POST", "route": "/fail"}
    assert registry.get_sample_value("nxt_http_defects_total", labels) == 1
    assert (await client.get("/things/5")).status == 200


async def test_a_request_id_is_taken_over_or_made(client: Any) -> None:
    """[API-185] [R40]"""
    given = await client.get("/nope", headers={"X-Request-Id": "job-7.a:b_c"})
    assert given.headers["X-Request-Id"] == (await given.json())["requestId"] == "job-7.a:b_c"
    made = await client.get("/nope", headers={"X-Request-Id": "no blanks, please"})
    assert made.headers["X-Request-Id"] not in {"", "no blanks, please"}


async def test_one_log_line_per_request_without_secrets(client: Any) -> None:
    """[API-41]"""
    with capture_logs() as logs:
        await client.post(
            "/things/5?token=hunter2",
            data=b'{"amount":5,"currency":"NGN","phone":"+2348031234567"}',
            headers={**JSON, "Authorization": "Bearer hunter2", "X-Request-Id": "r-1"},
        )
    (line,) = [log for log in logs if log["event"] == "request"]
    duration = line.pop("duration_ms")
    assert 0 <= duration < 10_000
    assert line == {
        "event": "request",
        "log_level": "info",
        "role": "api",
        "method": "POST",
        "route": "/things/{id}",
        "status": 201,
        "principal": "anonymous",
        "account_id": None,
        "request_id": "r-1",
    }
    assert "hunter2" not in str(logs)
    assert "2348031234567" not in str(logs)


async def test_files_and_streams(client: Any) -> None:
    """[API-14] A name never breaks out of its header."""
    png = await client.get("/file")
    assert (await png.read(), png.headers["Content-Type"]) == (b"\x89PNG", "image/png")
    assert png.headers["Content-Disposition"] == 'attachment; filename="ab..c.png"'
    csv = await client.get("/stream")
    assert await csv.text() == "0;x\n1;x\n2;x\n"
    assert csv.headers["Content-Disposition"] == 'attachment; filename="lines.csv"'
    assert csv.headers["Access-Control-Allow-Origin"] == "*"


async def test_a_stream_that_fails(client: Any) -> None:
    """[API-17] [API-38] At once: answered as any failure. Later: a broken connection tells that it is not whole."""
    assert (await client.get("/broken/1")).status == 503
    with pytest.raises(aiohttp.ClientPayloadError):
        await (await client.get("/broken/3")).read()
    assert (await client.head("/broken/3")).status == 200
    assert (await client.get("/stream")).status == 200


async def test_cross_origin_calls_are_answered_everywhere(client: Any) -> None:
    """[API-34]"""
    for path in ("/things/5", "/nope", "/healthz"):
        response = await client.get(path, headers={"Origin": "https://pay.example"})
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in response.headers
    for path in ("/things/5", "/nope"):
        preflight = await client.options(path, headers={"Access-Control-Request-Headers": "x-api-key,content-type"})
        assert (preflight.status, await preflight.read()) == (204, b"")
        assert preflight.headers["Access-Control-Allow-Methods"] == "GET,HEAD,PUT,PATCH,POST,DELETE"
        assert preflight.headers["Access-Control-Allow-Headers"] == "x-api-key,content-type"


async def test_an_allow_list_of_origins_replaces_the_star(serve: Serve) -> None:
    """[API-34] [API-193]"""
    client = await serve(ROUTES, Failures(), settings=HttpSettings(cors_origins=["https://pay.example"]))
    known = await client.get("/things/5", headers={"Origin": "https://pay.example"})
    assert known.headers["Access-Control-Allow-Origin"] == "https://pay.example"
    assert known.headers["Vary"] == "Origin"
    for headers in ({"Origin": "https://evil.example"}, {}):
        assert "Access-Control-Allow-Origin" not in (await client.get("/things/5", headers=headers)).headers


async def test_the_inner_roles_send_no_cors_headers(serve: Serve) -> None:
    """[API-35]"""
    client = await serve(ROUTES, Failures(), role="jobs", settings=HttpSettings())
    response = await client.get("/things/5", headers={"Origin": "https://pay.example"})
    assert not [name for name in response.headers if name.startswith("Access-Control")]


async def test_the_address_of_a_client_is_the_last_untrusted_hop(serve: Serve) -> None:
    """[R8] [API-193]"""
    forwarded = {**JSON, "X-Forwarded-For": "6.6.6.6, 203.0.113.9, 127.0.0.1"}
    distrusting = await serve([echo])
    answer = await distrusting.post("/echo", data=b"{}", headers=forwarded)
    assert (await answer.json())["address"] == "127.0.0.1"
    trusting = await serve([echo], settings=HttpSettings(trusted_proxies=["127.0.0.0/8"]))
    answer = await trusting.post("/echo", data=b"{}", headers=forwarded)
    assert (await answer.json())["address"] == "203.0.113.9"


@pytest.mark.parametrize(
    "head",
    [
        b"POST /echo HTTP/1.1\r\nverif-hash: \xff\xfe\r\nX-Request-Id: \xff\r\nX-Forwarded-For: \xff",
        b"POST /echo HTTP/1.1\r\nContent-Type: \xff",
        b"OPTIONS / HTTP/1.1\r\nAccess-Control-Request-Headers: \xff",
    ],
)
async def test_bytes_that_are_no_text_do_no_harm(client: Any, head: bytes) -> None:
    """[API-38] Headers may hold any byte."""
    reader, writer = await asyncio.open_connection(client.server.host, client.server.port)
    writer.write(head + b"\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    assert int(answer.split(b" ", 2)[1]) < 300
    writer.close()


NO_TARGETS = [b"/\xff\xfe", b"*"]
"""Refused by the parser, before there is a request."""
TARGETS = [b"/things/%00", b"/things/5?offset=%00", b"/%ff%fe", b"/things/%ED%A0%80", b"/things/%0A", b"//"]


@pytest.mark.parametrize("target", [*TARGETS, *NO_TARGETS])
async def test_any_target_is_answered(client: Any, target: bytes) -> None:
    """[API-15] [API-38]"""
    reader, writer = await asyncio.open_connection(client.server.host, client.server.port)
    writer.write(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    head, _, content = (await reader.read()).partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    assert 400 <= status < 500
    if target in TARGETS:
        assert json.loads(content)["statusCode"] == status
    writer.close()


def form_with(**files: bytes) -> aiohttp.FormData:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("note", "x" * 1000)
    for name, content in files.items():
        form.add_field(name, content, filename=f"../{name}.csv", content_type="text/csv")
    return form


async def test_files_come_in_the_field_file(client: Any) -> None:
    """[API-6] [API-8] In memory, at most 10 MiB; what the client calls it is only a name."""
    answer = await client.post("/upload", data=form_with(other=b"no", file=b"a;b\n"))
    assert await answer.json() == {"name": "../file.csv", "type": "text/csv", "bytes": 4}
    full = await client.post("/upload", data=form_with(file=b"x" * MAX_UPLOAD))
    assert (await full.json())["bytes"] == MAX_UPLOAD
    assert (await client.post("/upload", data=form_with(file=b"x" * (MAX_UPLOAD + 1)))).status == 413
    assert (await client.post("/upload", data=form_with(file=b"x" * (MAX_UPLOAD + 200_000)))).status == 413


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (None, "application/json", 201),
        (b"{}", "application/json", 201),
        (b"", "multipart/form-data; boundary=b", 400),
        (b"nonsense", "multipart/form-data; boundary=b", 400),
        (b"nonsense", "multipart/form-data", 400),
        (b"--b--\r\n", "multipart/form-data; boundary=b", 201),
    ],
)
async def test_a_missing_or_broken_upload(client: Any, content: bytes | None, kind: str, status: int) -> None:
    """[API-38]"""
    answer = await client.post("/upload", data=content, headers={"Content-Type": kind})
    assert answer.status == status
