"""Checks of single values of the artifact: each gives the complaint, or ``None``."""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nxt_entrypoints.settings.roles import Role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROTOCOLS = ("CALIN_V1", "CALIN_V2", "CALIN_LORAWAN")
"""Protocols a meter can speak."""


def schema_version(value: str) -> str | None:
    """Only the version this software reads [API-190]."""
    return None if value == "1" else f'"{value}" cannot be read (this software reads "1")'


def timezone(value: str) -> str | None:
    """A zone of the IANA database."""
    try:
        zoneinfo.ZoneInfo(value)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return f'unknown time zone "{value}"'
    return None


def mail(value: str) -> str | None:
    """One mail address."""
    return None if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value) else "not a mail address"


def domain(value: str) -> str | None:
    """A domain name."""
    return None if re.fullmatch(r"(?!-)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", value) else "not a domain name"


def web_address(value: str) -> str | None:
    """An absolute http(s) address."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return "not a URL (http://… or https://…)"
    ok = parts.scheme in ("http", "https") and parts.hostname
    return None if ok else "not a URL (http://… or https://…)"


def sts_base_date(value: int) -> str | None:
    """A year that token identifiers may count from [STS-12]."""
    return None if value in {1993, 2014, 2035} else "has to be 1993, 2014 or 2035"


def not_blank(value: str) -> str | None:
    """At least one visible character."""
    return None if value.strip() else "empty"


def origins(values: Sequence[str]) -> str | None:
    """``*`` alone, or origins without a path."""
    if tuple(values) == ("*",):
        return None
    for value in values:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
            return f'"{value}" is no origin (scheme://host[:port]), and "*" stands alone'
    return None


def networks(values: Sequence[str]) -> str | None:
    """Networks in CIDR notation."""
    for value in values:
        try:
            ipaddress.ip_network(value, strict=False)
        except ValueError:
            return f'"{value}" is no network in CIDR notation'
    return None


def protocols(values: Mapping[str, object]) -> str | None:
    """Keys are protocols."""
    for value in values:
        if value not in PROTOCOLS:
            return f'unknown protocol "{value}" (known: {", ".join(PROTOCOLS)})'
    return None


def roles(values: Sequence[Role]) -> str | None:
    """At least one role, none twice."""
    if not values:
        return "name at least one role"
    return None if len(set(values)) == len(values) else "a role is named twice"
