"""Structured logs: one line an event, the standard library's loggers included, no secret in any of them.

Lines are JSON objects, or text for people at a terminal [API-41, AUTO-165]. What must never be logged
[AUTO-166, DM-171] is taken out here as well, whatever the caller did: values under telling keys, credentials in
addresses, bearer tokens; phone numbers keep their last four digits.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Literal, TextIO

import msgspec
import structlog

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping
    from typing import Any

    from structlog.typing import EventDict, Processor, WrappedLogger

Style = Literal["json", "console", "auto"]

REDACTED = "•••"
_SECRET_WORDS = (
    "password",
    "passwd",
    "secret",
    "authorization",
    "api_key",
    "apikey",
    "app_key",
    "decoder_key",
    "private_key",
    "service_role_key",
    "anon_key",
    "cookie",
    "credential",
    "token",
)
_HARMLESS = frozenset(
    {"token_vendor", "token_kind", "token_type", "token_id", "token_issue_id", "api_key_id", "credentials_kind"}
)
_PHONE_WORDS = ("phone", "msisdn")
_SIGNS_OF_SECRETS = r"://|nxt_|eyJ|b[Ee][Aa][Rr][Ee][Rr]|B[Ee][Aa][Rr][Ee][Rr]"
"""Without one of them, no text holds any of the following. None begins with a choice of letters: only then does a
search run over the letters that begin none of them."""
_SECRETS_IN_TEXT = (
    (re.compile(r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"), REDACTED),
    (re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{8,}"), rf"\1{REDACTED}"),
    (re.compile(r"\bnxt_[A-Za-z0-9_-]{43}\b"), REDACTED),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"), REDACTED),
)
_QUIET = ("alembic.runtime.migration", "amqtt", "transitions", "gmqtt", "socketio", "engineio", "rq.worker")
_MESSAGING = "nxt_domain.messaging"
_STACK = structlog.processors.StackInfoRenderer()
_MAX_DEPTH = 6
_WORDS_AND_NUMBERS = frozenset({str, bool, int, float, type(None)})
_JSON = json.JSONEncoder(default=str)
_JSON_OF_PLAIN = msgspec.json.Encoder()
_NAMES = 1024  # more than our lines have; what others send is bounded by it


def set_up_logging(
    role: str,
    *,
    style: Style = "auto",
    level: str = "INFO",
    secrets: Iterable[str] = (),
    out: TextIO | None = None,
) -> None:
    """Route structlog and the standard library's logging into one stream; may be called again.

    Args:
        role: Shown in each line, such as ``jobs`` or ``api+jobs``.
        style: ``auto`` takes text at a terminal and JSON elsewhere.
        level: Least level that is written.
        secrets: Texts of this process that are taken out wherever they stand.
        out: Default standard output.
    """
    stream = out or sys.stdout
    named: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
    ]
    written: list[Processor] = [
        _traceback,
        Redaction(secrets),
        _Place(role),
        _renderer(style, stream),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*named, structlog.stdlib.ExtraAdder(), _module_of_ours],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *written],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    # Our own lines don't go through the standard library: there is one for each request.
    structlog.configure(
        processors=[*named, *written],
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        logger_factory=partial(_Lines, stream),
        cache_logger_on_first_use=False,
    )


def _renderer(style: Style, stream: TextIO) -> Processor:
    """Choose who reads the lines: people, or programs."""
    if style == "json" or (style == "auto" and not stream.isatty()):
        return _as_json
    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty(),
        timestamp_key="time",
        pad_event_to=0,
        exception_formatter=structlog.dev.plain_traceback,
    )


def _traceback(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Write out where it happened; most lines don't ask for it."""
    if "exc_info" in event:
        event = structlog.processors.format_exc_info(logger, method, event)
    return _STACK(logger, method, event) if "stack_info" in event else event


class _Lines:
    """Writes finished lines of one logger.

    Args:
        stream: Where they go.
        name: Of the logger.
    """

    __slots__ = ("_stream", "name")

    def __init__(self, stream: TextIO, name: str = "root") -> None:
        self._stream = stream
        self.name = name

    def msg(self, line: str) -> None:
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except (OSError, ValueError):
            return  # a reader who has left must not break what is being told of

    debug = info = warning = error = critical = exception = msg


def _module_of_ours(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Name the module of device messaging's lines [DM-171]; the domain logs by the standard library."""
    if str(event.get("logger", "")).startswith(_MESSAGING):
        event.setdefault("module", "messaging")
    return event


def _as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """Write a line; that of a request, which holds words and numbers alone, with a tenth of the work."""
    if not _WORDS_AND_NUMBERS.issuperset(map(type, event.values())):
        return _JSON.encode(event)
    try:
        line = msgspec.json.format(_JSON_OF_PLAIN.encode(event), indent=0)
    except UnicodeEncodeError:
        return _JSON.encode(event)  # halves of characters are escaped
    return line.decode() if line.isascii() else _JSON.encode(event)


class _Place:
    """Puts the role's name and the time into each event; there is nothing to take out of them.

    Args:
        role: As lines name it.
    """

    def __init__(self, role: str) -> None:
        self._role = role
        self._written = (0, "")

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault("role", self._role)
        event["time"] = self._now()
        return event

    def _now(self) -> str:
        """Write the present instant; the lines of a second share most of it."""
        second, micros = divmod(time.time_ns() // 1000, 1_000_000)
        written = self._written
        if written[0] != second:
            written = self._written = (second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
        return f"{written[1]}.{micros:06d}Z"


class Redaction:
    """A processor that takes secrets out of an event.

    Args:
        secrets: Texts that are taken out wherever they stand; those under 6 characters are left, since they
            would tear ordinary words.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        long_enough = sorted({text for text in secrets if len(text) >= 6}, key=len, reverse=True)
        known = "|".join(map(re.escape, long_enough))
        self._secrets = re.compile(known) if known else None
        self._suspicious = re.compile(f"{_SIGNS_OF_SECRETS}|{known}" if known else _SIGNS_OF_SECRETS)

    def __call__(
        self, _logger: WrappedLogger, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Clean one event."""
        if not self._is_harmless(event):
            for name, value in event.items():
                event[name] = self._clean(name, value, _MAX_DEPTH)
        return event

    def _is_harmless(self, event: MutableMapping[str, Any]) -> bool:
        """Tell that there is nothing to clean, as in most lines; one look at all of their texts is enough."""
        texts = "\n".join([value for value in event.values() if value.__class__ is str])
        return (
            _WORDS_AND_NUMBERS.issuperset(map(type, event.values()))
            and not _are_telling(tuple(event))
            and self._suspicious.search(texts) is None
        )

    def _clean(self, name: str, value: object, depth: int) -> object:
        if value is None or isinstance(value, bool):
            return value
        if _is_secret(name):
            return REDACTED
        if _is_phone(name):
            return f"…{str(value)[-4:]}"
        if isinstance(value, str):
            return self._text(value)
        return self._nested(name, value, depth)

    def _nested(self, name: str, value: object, depth: int) -> object:
        if depth == 0:
            return "…"
        if isinstance(value, dict):
            return {key: self._clean(str(key), item, depth - 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._clean(name, item, depth - 1) for item in value]
        return value

    def _text(self, text: str) -> str:
        for pattern, replacement in _SECRETS_IN_TEXT:
            text = pattern.sub(replacement, text)
        return self._secrets.sub(REDACTED, text) if self._secrets else text


@lru_cache(maxsize=_NAMES)
def _are_telling(names: tuple[str, ...]) -> bool:
    """Tell whether one of the names of an event says that its value must not be written."""
    return any(_is_secret(name) or _is_phone(name) for name in names)


@lru_cache(maxsize=_NAMES)
def _is_secret(name: str) -> bool:
    word = name.lower().replace("-", "_")
    if word in _HARMLESS:
        return False
    parts = word.split("_")
    return any(secret in parts or ("_" in secret and secret in word) for secret in _SECRET_WORDS) or any(
        word.endswith((f"{secret}s", secret)) for secret in _SECRET_WORDS
    )


@lru_cache(maxsize=_NAMES)
def _is_phone(name: str) -> bool:
    return any(part in name.lower() for part in _PHONE_WORDS)
