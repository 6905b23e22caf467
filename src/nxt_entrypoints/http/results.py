"""What a handler may return beside plain values: text, files, streams."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Generic, TypeVar

import attrs
import structlog
from aiohttp import web

from nxt_entrypoints.http.json import encode

T = TypeVar("T")

JSON_TYPE = "application/json; charset=utf-8"
TEXT_TYPE = "text/plain; charset=utf-8"

_log = structlog.get_logger("nxt.http")


@attrs.frozen
class Text:
    """Plain text [API-14]."""

    text: str


@attrs.frozen(kw_only=True)
class Binary:
    """A file that is held in memory.

    Attributes:
        content_type: With charset, if it is text.
        filename: Name under which browsers store it; None: shown in place.
    """

    content: bytes
    content_type: str
    filename: str | None = None


@attrs.frozen(kw_only=True)
class Stream:
    """A file of any length, written as it is made.

    Attributes:
        chunks: Encoded parts, in order; what fails before the first one is answered as any other failure.
    """

    chunks: AsyncGenerator[bytes]
    content_type: str
    filename: str | None = None


FILES = frozenset({Binary, Stream})
"""Results whose content type the route declares."""


@attrs.frozen
class Reply(Generic[T]):
    """A JSON result with a status of its own, one of the route's ``answers``."""

    result: T
    status: int = 200


async def respond(
    request: web.Request, result: object, *, status: int, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Turn a handler's result into a response.

    None gives an empty body with ``Content-Length: 0`` and no ``Content-Type`` [API-13].
    """
    match result:
        case None:
            return web.Response(status=status, headers={**headers, "Content-Length": "0"})
        case Reply(inner, own_status):
            return await respond(request, inner, status=own_status, headers=headers)
        case Text(text):
            return web.Response(status=status, body=text.encode(), headers={**headers, "Content-Type": TEXT_TYPE})
        case Binary():
            return web.Response(status=status, body=result.content, headers={**headers, **_file_headers(result)})
        case Stream():
            return await _stream(request, result, status=status, headers=headers)
        case _:
            return web.Response(status=status, body=encode(result), headers={**headers, "Content-Type": JSON_TYPE})


def _file_headers(file: Binary | Stream) -> dict[str, str]:
    headers = {"Content-Type": file.content_type}
    if file.filename is not None:
        safe = "".join(letter for letter in file.filename if letter.isalnum() or letter in " ._-:")
        headers["Content-Disposition"] = f'attachment; filename="{safe}"'
    return headers


async def _stream(
    request: web.Request, stream: Stream, *, status: int, headers: Mapping[str, str]
) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers={**headers, **_file_headers(stream)})
    async with aclosing(stream.chunks) as chunks:
        first = await anext(chunks, b"")
        await response.prepare(request)
        if request.method != "HEAD":
            await _write(request, response, first, chunks)
    return response


async def _write(request: web.Request, response: web.StreamResponse, first: bytes, rest: AsyncGenerator[bytes]) -> None:
    try:
        await response.write(first)
        async for chunk in rest:
            await response.write(chunk)
    except ConnectionError:
        return  # whoever asked has left
    except Exception:  # noqa: BLE001 - whatever it was, it is logged, and the reader must notice
        # The status is out: a broken connection is all that can tell that the file is not whole.
        _log.exception("a file broke off")
        if request.transport is not None:
            request.transport.abort()
