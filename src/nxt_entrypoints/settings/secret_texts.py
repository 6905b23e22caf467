"""Texts that must not appear in any output of a process."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from nxt_entrypoints.settings.registry import VARIABLES

if TYPE_CHECKING:
    from nxt_entrypoints.settings.settings import Settings


def secret_texts(settings: Settings) -> frozenset[str]:
    """Every secret value the process was given, and the passwords inside addresses."""
    texts: set[str] = set()
    for name, item in VARIABLES.items():
        if item.secret and settings.has(name):
            value = settings.value(name)
            texts.update(value if isinstance(value, tuple) else (str(value),))
    for url in (settings.relational_url, settings.series_url, settings.valkey_url, settings.migration_url):
        password = urlsplit(url).password
        if password:
            texts.update((password, unquote(password)))
    return frozenset(texts)
