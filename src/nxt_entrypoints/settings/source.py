"""Where the artifact comes from: the first source that is set, without fall-through [API-188]."""

from __future__ import annotations

import hashlib
import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from attrs import frozen

from nxt_entrypoints.settings.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BUNDLED = '{"$schemaVersion": "1"}'
"""The bundled default: every default of the schema, hence everything off that needs a secret."""

_TIMEOUT_S = 10.0
_WAITS_S = (1.0, 2.0)
_MAX_BYTES = 4 * 1024 * 1024


@frozen(kw_only=True)
class Source:
    """A resolved source.

    Attributes:
        shown: How messages and the report name it.
        sha256: Digest of its text, in hex; empty when it could not be read.
        plain: The decoded JSON, or ``None``.
        problem: Why it cannot be used, if it cannot.
    """

    shown: str
    sha256: str = ""
    plain: object = None
    problem: Problem | None = None


def resolve(
    environ: Mapping[str, str], fetch: Callable[[str], str] | None = None, *, prefix: str = "NXT_CONFIG"
) -> Source:
    """Read the document named by the environment, or the bundled default.

    Args:
        environ: The environment.
        fetch: Reads an address; for tests.
        prefix: Of the three names, which end in ``_JSON``, ``_URL`` and ``_PATH``.
    """
    for name, read in (
        (f"{prefix}_JSON", str),
        (f"{prefix}_URL", fetch or _fetch),
        (f"{prefix}_PATH", _read_file),
    ):
        value = environ.get(name, "").strip()
        if value:
            return _load(name, value, read)
    return _parsed("bundled default", f"{prefix}_JSON", BUNDLED)


def _load(name: str, value: str, read: Callable[[str], str]) -> Source:
    shown = name if name.endswith("_JSON") else f"{name}={_without_credentials(value)}"
    try:
        text = read(value)
    except (OSError, ValueError) as error:
        return Source(shown=shown, problem=Problem("config", f"({name})", f"cannot be read: {_reason(error)}"))
    return _parsed(shown, name, text)


def _parsed(shown: str, name: str, text: str) -> Source:
    digest = hashlib.sha256(text.encode()).hexdigest()
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else "text"
        return Source(shown=shown, sha256=digest, problem=Problem("config", f"({name})", f"is not JSON: {where}"))
    return Source(shown=shown, sha256=digest, plain=plain)


def _read_file(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def _fetch(url: str) -> str:
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("only http and https addresses are fetched")
    for wait_s in (*_WAITS_S, None):
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - scheme checked above
                body: bytes = answer.read(_MAX_BYTES + 1)
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            if wait_s is None:
                raise
            time.sleep(wait_s)
        else:
            if len(body) > _MAX_BYTES:
                raise ValueError("larger than 4 MiB")
            return body.decode("utf-8")
    raise AssertionError("the last attempt either returns or raises")


def _without_credentials(value: str) -> str:
    parts = urlsplit(value)
    if not parts.scheme or not parts.hostname:
        return value
    host = parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
