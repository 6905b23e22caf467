"""Kinds of values a variable may hold: how they are read, and how a reader is told what is expected.

A message about a malformed value describes what is wanted and never repeats what was given [API-198].
"""

from __future__ import annotations

import base64
import binascii
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nxt_entrypoints.settings.settings import Value


class Kind(Protocol):
    """Reads one kind of value."""

    @property
    def expected(self) -> str:
        """What a well-formed value is, in words."""

    def parse(self, text: str) -> Value:
        """Read the value.

        Raises:
            ValueError: When it is malformed; the text of the error is not shown to anybody.
        """


@frozen
class Text:
    """Any text. ``keep_blanks`` keeps surrounding white space, as passwords need it."""

    keep_blanks: bool = False
    expected: str = "a text"

    def parse(self, text: str) -> Value:
        """Give the text as it stands."""
        return text


@frozen
class Url:
    """An absolute URL of one of the schemes."""

    schemes: tuple[str, ...] = ("http", "https")

    @property
    def expected(self) -> str:
        """Names the schemes."""
        return f"a URL ({' or '.join(f'{scheme}://…' for scheme in self.schemes)})"

    def parse(self, text: str) -> Value:
        """Check scheme, host and port; a trailing slash is dropped."""
        parts = urlsplit(text)
        if parts.scheme not in self.schemes or not parts.hostname or any(c.isspace() for c in text):
            raise ValueError("not such a URL")
        _ = parts.port  # raises for a port that is no number or out of range
        return text.rstrip("/")


@frozen
class Host:
    """A host name or address: no scheme, no port."""

    expected: str = "a host name, without scheme, port or path"

    def parse(self, text: str) -> Value:
        """Refuse what looks like a URL."""
        if "/" in text or any(c.isspace() for c in text) or text.count(":") == 1:
            raise ValueError("not a host name")
        return text


@frozen
class HostPort:
    """``host:port``, as gRPC targets are written."""

    expected: str = "host:port"

    def parse(self, text: str) -> Value:
        """Check both halves."""
        host, separator, port = text.rpartition(":")
        if not (separator and host) or "/" in text:
            raise ValueError("not host:port")
        Integer(1, 65535).parse(port)
        return text


@frozen
class Integer:
    """A whole number between two limits, both included."""

    minimum: int | None = None
    maximum: int | None = None

    @property
    def expected(self) -> str:
        """Names the limits."""
        return "a whole number" + _limits(self.minimum, self.maximum)

    def parse(self, text: str) -> Value:
        """Read decimal digits with an optional sign."""
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            raise ValueError("not a whole number")
        number = int(text)
        _within(number, self.minimum, self.maximum)
        return number


PORT = Integer(1, 65535)
"""A TCP port."""


@frozen
class Number:
    """A number between two limits, both included."""

    minimum: float | None = None
    maximum: float | None = None

    @property
    def expected(self) -> str:
        """Names the limits."""
        return "a number" + _limits(self.minimum, self.maximum)

    def parse(self, text: str) -> Value:
        """Read a finite decimal number."""
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise ValueError("not a number") from None
        if not number.is_finite():
            raise ValueError("not finite")
        _within(float(number), self.minimum, self.maximum)
        return float(number)


@frozen
class Flag:
    """``true`` or ``false``; the words in ``also`` mean the same."""

    also: Mapping[str, bool] = {"1": True, "0": False}
    expected: str = "true or false"

    def parse(self, text: str) -> Value:
        """Read the word, in any case."""
        words = {"true": True, "false": False, **self.also}
        if text.lower() not in words:
            raise ValueError("neither true nor false")
        return words[text.lower()]


@frozen
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def expected(self) -> str:
        """Names the words."""
        return "one of " + ", ".join(self.words)

    def parse(self, text: str) -> Value:
        """Refuse any other word."""
        if text not in self.words:
            raise ValueError("not one of them")
        return text


@frozen
class Names:
    """Comma-separated texts."""

    expected: str = "a comma-separated list"

    def parse(self, text: str) -> Value:
        """Split, trim, and drop what is empty."""
        return tuple(name.strip() for name in text.split(",") if name.strip())


@frozen
class Integers:
    """Comma-separated whole numbers, at least 1 each."""

    expected: str = "a comma-separated list of whole numbers"

    def parse(self, text: str) -> Value:
        """Read each number."""
        return tuple(str(Integer(minimum=1).parse(number.strip())) for number in text.split(",") if number.strip())


@frozen
class Duration:
    """``<number><unit>``, as in ``12h`` [API-60]; the value is the number of seconds."""

    expected: str = "a number with a unit (ms, s, m, h, d, w or y), such as 12h"

    def parse(self, text: str) -> Value:
        """Read number and unit; a number alone is refused."""
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|m|h|d|w|y)", text)
        if match is None:
            raise ValueError("no unit")
        seconds = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31557600}
        return float(match[1]) * seconds[match[2]]


@frozen
class Pem:
    r"""A PEM block; literal ``\n`` sequences become line breaks [API-60]."""

    expected: str = "a PEM block (-----BEGIN …)"

    def parse(self, text: str) -> Value:
        """Check the frame and that the body is base64."""
        pem = text.replace("\\n", "\n").strip()
        match = re.fullmatch(r"-----BEGIN ([A-Z0-9 ]+)-----\n(.+?)\n-----END \1-----", pem, re.DOTALL)
        if match is None:
            raise ValueError("no PEM frame")
        body = [line for line in match[2].splitlines() if ":" not in line]
        _decode_base64("".join(body))
        return pem + "\n"


@frozen
class Base64Text:
    """Base64 of a DER public key, as mail vendors hand it out; a PEM block is taken too."""

    expected: str = "a public key, in base64 or PEM"

    def parse(self, text: str) -> Value:
        """Check the alphabet and padding."""
        if text.lstrip().startswith("-----BEGIN"):
            return Pem().parse(text)
        _decode_base64("".join(text.split()))
        return text.strip()


@frozen
class DataKeys:
    """``id:base64-of-32-bytes`` entries, newest first, separated by commas (R15)."""

    expected: str = "id:base64 of 32 bytes, newest first, separated by commas, each id once"

    def parse(self, text: str) -> Value:
        """Check each entry's id and length."""
        entries = tuple(entry.strip() for entry in text.split(",") if entry.strip())
        ids: set[str] = set()
        for entry in entries:
            key_id, _, encoded = entry.partition(":")
            if not re.fullmatch(r"[A-Za-z0-9_.-]{1,32}", key_id) or key_id in ids:
                raise ValueError("bad or repeated id")
            if len(_decode_base64(encoded)) != 32:
                raise ValueError("not 32 bytes")
            ids.add(key_id)
        if not entries:
            raise ValueError("no key")
        return entries


def _decode_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


def _limits(minimum: float | None, maximum: float | None) -> str:
    if minimum is not None and maximum is not None:
        return f" from {minimum:g} to {maximum:g}" if maximum < 10**6 else f" from {minimum:g} to {maximum}"
    if minimum is not None:
        return f" of at least {minimum:g}"
    return "" if maximum is None else f" of at most {maximum:g}"


def _within(number: float, minimum: float | None, maximum: float | None) -> None:
    if (minimum is not None and number < minimum) or (maximum is not None and number > maximum):
        raise ValueError("out of range")
