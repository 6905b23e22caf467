"""Reading request bodies: bounded, and by their content type [API-6 … API-8]."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl

from aiohttp import ClientError, web

from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.json import Json
from nxt_entrypoints.http.errors import BodyIncomplete, BodyTooLarge
from nxt_entrypoints.http.json import decode

_PATIENCE_S = 30.0
_MAX_FORM_FIELDS = 1000


async def receive(request: web.Request, limit: int) -> bytes:
    """Read a body of at most ``limit`` bytes, counted after decompression.

    Raises:
        BodyTooLarge: It is longer; the rest is not read.
        BodyIncomplete: It is broken off, badly encoded, or takes longer than 30 s.
    """
    if (request.content_length or 0) > limit:
        raise BodyTooLarge
    received = bytearray()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            async for chunk in request.content.iter_any():
                received += chunk
                if len(received) > limit:
                    raise BodyTooLarge
    except TimeoutError as error:
        raise BodyIncomplete("request body was not received in time") from error
    except (ClientError, web.RequestPayloadError, ConnectionError) as error:
        raise BodyIncomplete("request body could not be read") from error
    return bytes(received)


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
