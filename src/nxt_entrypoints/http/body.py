"""Reading request bodies: bounded, and by their content type [API-6 … API-8]."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl

import attrs
from aiohttp import BodyPartReader, ClientError, web

from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.json import Json
from nxt_entrypoints.http.errors import BodyIncomplete, BodyTooLarge
from nxt_entrypoints.http.json import decode
from nxt_entrypoints.http.routes import DEFAULT_MAX_BODY

MAX_UPLOAD = 10 * 1024 * 1024
_FILE_FIELD = "file"
_PATIENCE_S = 30.0
_MAX_FORM_FIELDS = 1000


@attrs.frozen(kw_only=True)
class Upload:
    """A file that came with a request, held in memory [API-8].

    Attributes:
        filename: As the client calls it; never a path to write to.
        content_type: As the client calls it.
    """

    filename: str
    content_type: str
    content: bytes = attrs.field(repr=False)


async def receive_upload(request: web.Request) -> Upload | None:
    """Read the field ``file`` of a multipart body; None: there is none.

    Raises:
        BodyTooLarge: It is longer than 10 MiB.
        BodyIncomplete: It is broken off, malformed, or takes longer than 30 s.
    """
    if not request.content_type.startswith("multipart/"):
        return None
    if (request.content_length or 0) > MAX_UPLOAD + DEFAULT_MAX_BODY:
        raise BodyTooLarge
    async with _received():
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader) and part.name == _FILE_FIELD and part.filename is not None:
                content = await _part(part)
                kind = part.headers.get("Content-Type", "application/octet-stream")
                return Upload(filename=part.filename, content_type=kind, content=content)
    return None


async def _part(part: BodyPartReader) -> bytes:
    content = bytearray()
    while chunk := await part.read_chunk(65_536):
        content += chunk
        if len(content) > MAX_UPLOAD:
            raise BodyTooLarge
    return bytes(content)


async def receive(request: web.Request, limit: int) -> bytes:
    """Read a body of at most ``limit`` bytes, counted after decompression.

    Raises:
        BodyTooLarge: It is longer; the rest is not read.
        BodyIncomplete: It is broken off, badly encoded, or takes longer than 30 s.
    """
    if not request.body_exists:
        return b""
    if (request.content_length or 0) > limit:
        raise BodyTooLarge
    if request.content.is_eof() and request.content.exception() is None:
        whole = request.content.read_nowait()  # it came with the headers, as small ones do
        if len(whole) > limit:
            raise BodyTooLarge
        return whole
    received = bytearray()
    async with _received():
        async for chunk in request.content.iter_any():
            received += chunk
            if len(received) > limit:
                raise BodyTooLarge
    return bytes(received)


@asynccontextmanager
async def _received() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            yield
    except TimeoutError as error:
        raise BodyIncomplete("request body was not received in time") from error
    except (ClientError, web.RequestPayloadError, ConnectionError, ValueError) as error:
        raise BodyIncomplete("request body could not be read") from error


def parse(raw: bytes, content_type: str | None) -> Json:
    """Decode a body: JSON, or a form whose values are strings; an empty one equals none [API-7].

    Args:
        raw: As received.
        content_type: Header value; absent: JSON. Other types have no fields.

    Raises:
        MalformedJson: It should be JSON, and is not.
    """
    kind = (content_type or "application/json").partition(";")[0].strip().lower()
    if not raw.strip():
        return None
    if kind == "application/json" or kind.endswith("+json"):
        return decode(raw)
    if kind == "application/x-www-form-urlencoded":
        return _form(raw)
    return None


def _form(raw: bytes) -> Json:
    try:
        fields = parse_qsl(
            raw.decode(errors="replace"), keep_blank_values=True, max_num_fields=_MAX_FORM_FIELDS, errors="replace"
        )
    except ValueError as error:
        raise InvalidInput("form has too many fields", code="MALFORMED_FORM") from error
    return {name: value.replace("\x00", "") for name, value in fields}
