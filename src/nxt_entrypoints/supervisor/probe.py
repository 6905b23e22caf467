"""Asks a role whether it is ready, with the standard library alone."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen

_TIMEOUT_S = 3.0
_MAX_BYTES = 64 * 1024


@frozen(kw_only=True)
class Readiness:
    """The answer of ``/readyz`` [API-40].

    Attributes:
        ready: Whether the role can serve.
        failing: Names of what fails.
        warnings: What it warns of [API-200].
        error: Why there was no answer, if there was none.
    """

    ready: bool
    failing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str | None = field(default=None)

    def as_json(self) -> dict[str, Any]:
        """For ``nxt status --json``; what is empty is left out."""
        shown: dict[str, Any] = {"ready": self.ready}
        if self.failing:
            shown["failing"] = list(self.failing)
        if self.warnings:
            shown["warnings"] = list(self.warnings)
        if self.error:
            shown["error"] = self.error
        return shown


async def probe(base_url: str, *, timeout_s: float = _TIMEOUT_S) -> Readiness:
    """Ask ``{base_url}/readyz``; a role that does not answer is not ready."""
    try:
        status, body = await asyncio.wait_for(_get(f"{base_url.rstrip('/')}/readyz"), timeout_s)
    except TimeoutError:
        return Readiness(ready=False, error=f"no answer within {timeout_s:g} s")
    except (OSError, ValueError) as error:
        return Readiness(ready=False, error=str(error) or type(error).__name__)
    try:
        answer = json.loads(body)
    except ValueError:
        answer = {}
    facts = answer if isinstance(answer, dict) else {}
    return Readiness(
        ready=status == 200,
        failing=_texts(facts.get("failing")),
        warnings=_texts(facts.get("warnings")),
        error=None if status in (200, 503) else f"HTTP {status}",
    )


async def _get(url: str) -> tuple[int, bytes]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        writer.write(f"GET {parts.path} HTTP/1.0\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read(_MAX_BYTES) + await _rest(reader)).partition(b"\r\n\r\n")
        status = head.split(b" ", 2)[1:2]
        if not status:
            raise ValueError("no HTTP answer")
        return int(status[0]), body
    finally:
        writer.close()


async def _rest(reader: asyncio.StreamReader) -> bytes:
    chunks = []
    size = 0
    while (chunk := await reader.read(_MAX_BYTES)) and size < _MAX_BYTES:
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()
